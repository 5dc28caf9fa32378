"""Hindi words of the sample world."""

NOUNS: dict[str, tuple[str, str]] = {  # concept → (word, gender)
    "doctor": ("डॉक्टर", "m"), "teacher": ("शिक्षक", "m"), "farmer": ("किसान", "m"),
    "writer": ("लेखक", "m"), "student": ("छात्र", "m"), "cook": ("रसोइया", "m"),
    "soldier": ("सैनिक", "m"), "singer": ("गायक", "m"), "woman": ("औरत", "f"),
    "man": ("आदमी", "m"), "girl": ("लड़की", "f"), "boy": ("लड़का", "m"), "friend": ("दोस्त", "m"),
    "brother": ("भाई", "m"), "sister": ("बहन", "f"), "mother": ("माँ", "f"),
    "father": ("पिता", "m"), "dog": ("कुत्ता", "m"), "horse": ("घोड़ा", "m"),
    "cat": ("बिल्ली", "f"), "cow": ("गाय", "f"), "bird": ("चिड़िया", "f"), "fish": ("मछली", "f"),
    "lion": ("शेर", "m"), "mouse": ("चूहा", "m"), "bread": ("रोटी", "f"), "apple": ("सेब", "m"),
    "meat": ("मांस", "m"), "rice": ("चावल", "m"), "soup": ("सूप", "m"), "cheese": ("पनीर", "m"),
    "milk": ("दूध", "m"), "tea": ("चाय", "f"), "coffee": ("कॉफ़ी", "f"), "juice": ("रस", "m"),
    "book": ("किताब", "f"), "letter": ("चिट्ठी", "f"), "newspaper": ("अख़बार", "m"),
    "car": ("गाड़ी", "f"), "bicycle": ("साइकिल", "f"), "train": ("रेलगाड़ी", "f"),
    "hat": ("टोपी", "f"), "coat": ("कोट", "m"), "shirt": ("कमीज़", "f"), "lamp": ("दीपक", "m"),
    "knife": ("चाकू", "m"), "table": ("मेज़", "f"), "picture": ("तस्वीर", "f"),
    "box": ("डिब्बा", "m"), "door": ("दरवाज़ा", "m"), "window": ("खिड़की", "f"),
    "house": ("घर", "m"), "school": ("स्कूल", "m"), "hotel": ("होटल", "m"),
    "hospital": ("अस्पताल", "m"), "garden": ("बग़ीचा", "m"), "church": ("गिरजाघर", "m"),
    "city": ("शहर", "m"), "country": ("देश", "m"), "company": ("कंपनी", "f"),
    "animal": ("जानवर", "m"), "person": ("व्यक्ति", "m"), "capital": ("राजधानी", "f"),
}  # fmt: skip
OBLIQUE = {  # masculine nouns in -ā change before a postposition; the others do not
    "cook": "रसोइए", "boy": "लड़के", "dog": "कुत्ते", "horse": "घोड़े", "mouse": "चूहे",
    "box": "डिब्बे", "door": "दरवाज़े", "garden": "बग़ीचे",
}  # fmt: skip
FEMALE = {
    "doctor": "डॉक्टर", "teacher": "शिक्षिका", "farmer": "किसान", "writer": "लेखिका",
    "student": "छात्रा", "cook": "रसोइया", "soldier": "सैनिक", "singer": "गायिका",
    "friend": "दोस्त",
}  # fmt: skip
ADJECTIVES: dict[str, str] = {  # masculine; -ā becomes -e (oblique), -ī (feminine)
    "good": "अच्छा", "young": "जवान", "clever": "होशियार", "rich": "अमीर", "poor": "ग़रीब",
    "beautiful": "सुंदर", "hungry": "भूखा", "black": "काला", "big": "बड़ा", "white": "सफ़ेद",
    "small": "छोटा", "cheap": "सस्ता", "cold": "ठंडा", "expensive": "महँगा", "hot": "गरम",
    "new": "नया", "long": "लंबा", "old": "पुराना", "red": "लाल", "green": "हरा",
}  # fmt: skip
VERBS: dict[str, tuple[str, str]] = {  # concept → (noun of a light-verb construction or "", stem)
    "eat": ("", "खा"), "read": ("", "पढ़"), "love": ("", "चाह"), "drink": ("", "पी"),
    "drive": ("", "चला"), "see": ("", "देख"), "wear": ("", "पहन"), "sell": ("", "बेच"),
    "buy": ("", "ख़रीद"), "write": ("", "लिख"), "cook": ("", "पका"), "open": ("", "खोल"),
    "know": ("", "जान"), "build": ("", "बना"), "hear": ("", "सुन"), "carry": ("", "ढो"),
    "find": ("", "पा"), "call": ("", "बुला"), "give": ("", "दे"), "send": ("", "भेज"),
    "show": ("", "दिखा"), "bring": ("", "ला"), "sleep": ("", "सो"), "sing": ("", "गा"),
    "run": ("", "दौड़"), "laugh": ("", "हँस"), "swim": ("", "तैर"), "dance": ("", "नाच"),
    "fly": ("", "उड़"), "cry": ("", "रो"), "play": ("", "खेल"), "live": ("", "रह"),
    "work": ("काम", "कर"), "rest": ("आराम", "कर"), "go": ("", "जा"), "come": ("", "आ"),
    "return": ("", "लौट"), "say": ("", "कह"), "think": ("", "सोच"), "believe": ("", "मान"),
}  # fmt: skip
ADVERBS = {
    "today": "आज", "always": "हमेशा", "now": "अब", "slowly": "धीरे", "quickly": "जल्दी",
    "well": "ठीक",
}  # fmt: skip
NAMES = {
    "john": "राम", "peter": "मोहन", "paul": "अर्जुन", "david": "विजय", "michael": "रवि",
    "thomas": "अमित", "mary": "सीता", "anna": "मीरा", "helen": "गीता", "sophia": "राधा",
    "julia": "प्रिया", "kate": "अनीता", "smith": "शर्मा", "taylor": "वर्मा", "wilson": "सिंह",
    "clark": "गुप्ता", "evans": "मेहता", "walker": "जोशी", "harris": "पटेल", "cooper": "यादव",
}  # fmt: skip
PLACES = {
    "london": "लंदन", "paris": "पेरिस", "moscow": "मॉस्को", "delhi": "दिल्ली", "madrid": "मैड्रिड",
    "rome": "रोम", "berlin": "बर्लिन", "cairo": "काहिरा", "vienna": "वियना",
    "cape_town": "केप टाउन", "england": "इंग्लैंड", "france": "फ़्रांस", "russia": "रूस",
    "india": "भारत", "spain": "स्पेन", "italy": "इटली", "germany": "जर्मनी", "egypt": "मिस्र",
    "austria": "ऑस्ट्रिया", "south_africa": "दक्षिण अफ़्रीका",
}  # fmt: skip
BRANDS = {
    "orion": "ओरायन", "atlas": "एटलस", "delta": "डेल्टा", "phoenix": "फ़ीनिक्स", "apollo": "अपोलो",
    "sigma": "सिग्मा", "titan": "टाइटन", "aurora": "ऑरोरा",
}  # fmt: skip
ORGANISATION_TYPES = {"bank": "बैंक", "university": "विश्वविद्यालय", "museum": "संग्रहालय", "club": "क्लब"}
