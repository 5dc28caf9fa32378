"""The concepts of the sample world and how they go together: the same for every language and every
seed.

Two languages without a shared word can only meet in an encoder if their words are told apart by the
company they keep. A world whose classes are interchangeable never aligns, however low the loss; so
everything here is uneven on purpose: inside every list the first concepts are far more frequent
than the last (Zipf), every verb has a template of its own and picks its subjects and objects
(selectional preference), only some nouns live, and only some adjectives fit a noun. Lists are
ordered from frequent to rare.
"""

from __future__ import annotations

CLASSES: dict[str, tuple[str, ...]] = {
    "role": ("doctor", "teacher", "farmer", "writer", "student", "cook", "soldier", "singer"),
    "human": ("woman", "man", "girl", "boy"),
    "kin": ("friend", "brother", "sister", "mother", "father"),
    "animal": ("dog", "horse", "cat", "cow", "bird", "fish", "lion", "mouse"),
    "food": ("bread", "apple", "meat", "rice", "soup", "cheese"),
    "drink": ("milk", "tea", "coffee", "juice"),
    "text": ("book", "letter", "newspaper"),
    "vehicle": ("car", "bicycle", "train"),
    "clothes": ("hat", "coat", "shirt"),
    "thing": ("lamp", "knife", "table", "picture", "box"),
    "opening": ("door", "window"),
    "building": ("house", "school", "hotel", "hospital", "garden", "church"),
    "general": ("city", "country", "company", "animal", "person", "capital"),
}
NOUNS: tuple[str, ...] = tuple(noun for nouns in CLASSES.values() for noun in nouns)
CLASS_OF: dict[str, str] = {noun: name for name, nouns in CLASSES.items() for noun in nouns}
MASS_NOUNS = frozenset({"bread", "meat", "rice", "soup", "cheese", *CLASSES["drink"]})
ANIMATE_CLASSES = ("role", "human", "kin", "animal")
ANIMATE = frozenset(n for c in ANIMATE_CLASSES for n in CLASSES[c]) | {"animal", "person"}
HYPERNYM = {"animal": "animal", "role": "person", "human": "person"}  # by class of the noun

# Which adjectives are said of a class, frequent first.
ADJECTIVES_OF: dict[str, tuple[str, ...]] = {
    "role": ("good", "young", "clever", "rich", "poor"),
    "human": ("young", "beautiful", "clever", "hungry", "poor"),
    "kin": ("good", "young", "clever"),
    "animal": ("black", "big", "hungry", "white", "small", "beautiful"),
    "food": ("good", "white", "cheap", "cold", "expensive"),
    "drink": ("hot", "cold", "good", "cheap"),
    "text": ("new", "long", "old", "good"),
    "vehicle": ("red", "new", "expensive", "old", "green"),
    "clothes": ("green", "red", "black", "expensive", "cheap"),
    "thing": ("old", "small", "white", "beautiful"),
    "opening": ("green", "big", "white", "old"),
    "building": ("big", "old", "new", "small", "white"),
    "general": ("big", "old", "beautiful", "rich", "small"),
}
ADJECTIVES: tuple[str, ...] = tuple(dict.fromkeys(a for row in ADJECTIVES_OF.values() for a in row))
ANTONYM = {
    "big": "small", "small": "big", "old": "new", "new": "old", "rich": "poor", "poor": "rich",
    "hot": "cold", "cold": "hot", "white": "black", "black": "white", "expensive": "cheap",
    "cheap": "expensive",
}  # fmt: skip

# verb → (classes or nouns of its subject, of its object), frequent first; "name" is any person.
TRANSITIVE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "eat": (("animal", "name", "human"), ("food",)),
    "read": (("name", "student", "writer", "girl"), ("text",)),
    "love": (("name", "kin", "human"), ("name", "kin", "animal")),
    "drink": (("name", "human", "cat", "role"), ("drink",)),
    "drive": (("name", "man", "soldier", "role"), ("vehicle",)),
    "see": (
        ("name", "animal", "human", "role"),
        ("animal", "human", "vehicle", "name", "building"),
    ),
    "wear": (("name", "woman", "singer", "human"), ("clothes",)),
    "sell": (("farmer", "name", "organisation"), ("vehicle", "food", "clothes", "thing")),
    "buy": (("name", "woman", "cook", "human"), ("food", "clothes", "thing", "vehicle")),
    "write": (("writer", "name", "teacher"), ("letter", "book")),
    "cook": (("cook", "name", "mother"), ("soup", "meat", "rice")),
    "open": (("name", "boy", "role"), ("door", "window", "box", "letter")),
    "know": (("name", "role", "kin"), ("name", "role")),
    "build": (("organisation", "name", "man"), ("building",)),
    "hear": (("animal", "human", "name"), ("bird", "dog", "singer")),
    "carry": (("horse", "name", "soldier"), ("thing", "box", "food")),
    "find": (("name", "organisation", "boy"), ("thing", "clothes", "animal")),
    "call": (("name", "teacher", "human"), ("name", "dog", "doctor")),
}
TRANSFER: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "give": (("name", "kin", "role"), ("text", "thing", "food"), ("name", "human")),
    "send": (("name", "organisation", "soldier"), ("letter", "newspaper", "text"), ("name", "kin")),
    "show": (
        ("teacher", "name", "singer"),
        ("picture", "thing", "clothes"),
        ("student", "human", "name"),
    ),
    "bring": (("cook", "name", "girl"), ("drink", "food"), ("name", "role")),
}
INTRANSITIVE: dict[str, tuple[tuple[str, ...]]] = {
    "sleep": (("animal", "name", "human"),),
    "sing": (("name", "singer", "bird", "girl"),),
    "run": (("animal", "boy", "name"),),
    "laugh": (("name", "human", "kin"),),
    "swim": (("fish", "name", "dog"),),
    "dance": (("name", "girl", "woman"),),
    "fly": (("bird",),),
    "cry": (("human", "name"),),
    "play": (("boy", "cat", "name"),),
}
DWELL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "live": (("name", "kin", "role", "animal"), ("city", "country", "house")),
    "work": (("name", "role"), ("organisation", "city", "building")),
    "rest": (("animal", "human", "name"), ("garden", "house", "city")),
}
MOTION: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "go": (("name", "human", "role"), "to", ("city", "building", "country")),
    "come": (("name", "role", "vehicle"), "from", ("country", "city")),
    "return": (("name", "soldier", "kin"), "to", ("house", "city", "organisation")),
}
VERBS_OF_FRAME: dict[str, dict[str, tuple]] = {  # verb → its slots, that of the subject first
    "transitive": TRANSITIVE,
    "transfer": TRANSFER,
    "intransitive": INTRANSITIVE,
    "dwell": DWELL,
    "motion": MOTION,
}
SPEECH = ("say", "think", "believe")
VERBS: tuple[str, ...] = (*TRANSITIVE, *TRANSFER, *INTRANSITIVE, *DWELL, *MOTION, *SPEECH)
TIMES = ("today", "always", "now")
MANNERS = ("slowly", "quickly", "well")
MANNERS_OF = {
    "run": ("quickly",), "swim": ("well", "quickly"), "sing": ("well",),
    "dance": ("well", "slowly"), "eat": ("slowly", "quickly"), "drive": ("quickly", "slowly"),
    "read": ("slowly",), "cook": ("well",), "write": ("slowly", "well"),
}  # fmt: skip

CAPITALS: dict[str, str] = {
    "london": "england", "paris": "france", "moscow": "russia", "delhi": "india",
    "madrid": "spain", "rome": "italy", "berlin": "germany", "cairo": "egypt", "vienna": "austria",
    "cape_town": "south_africa",
}  # fmt: skip
CITIES: tuple[str, ...] = tuple(CAPITALS)
COUNTRIES: tuple[str, ...] = tuple(CAPITALS.values())
PLACES = (*CITIES, *COUNTRIES)
MEN = ("john", "peter", "paul", "david", "michael", "thomas")
WOMEN = ("mary", "anna", "helen", "sophia", "julia", "kate")
SURNAMES = ("smith", "taylor", "wilson", "clark", "evans", "walker", "harris", "cooper")
BRANDS = ("orion", "atlas", "delta", "phoenix", "apollo", "sigma", "titan", "aurora")
ORGANISATION_TYPES = ("bank", "university", "museum", "club")
ORGANISATIONS: tuple[str, ...] = (
    "orion_bank", "atlas_university", "delta_museum", "phoenix_club", "apollo_bank",
    "sigma_university", "titan_museum", "aurora_club", "delta_bank", "orion_club",
)  # fmt: skip
