"""Spanish words of the sample world."""

NOUNS: dict[str, tuple[str, str]] = {  # concept → (word, gender)
    "doctor": ("doctor", "m"), "teacher": ("maestro", "m"), "farmer": ("granjero", "m"),
    "writer": ("escritor", "m"), "student": ("estudiante", "m"), "cook": ("cocinero", "m"),
    "soldier": ("soldado", "m"), "singer": ("cantante", "m"), "woman": ("mujer", "f"),
    "man": ("hombre", "m"), "girl": ("niña", "f"), "boy": ("niño", "m"), "friend": ("amigo", "m"),
    "brother": ("hermano", "m"), "sister": ("hermana", "f"), "mother": ("madre", "f"),
    "father": ("padre", "m"), "dog": ("perro", "m"), "horse": ("caballo", "m"),
    "cat": ("gato", "m"), "cow": ("vaca", "f"), "bird": ("pájaro", "m"), "fish": ("pez", "m"),
    "lion": ("león", "m"), "mouse": ("ratón", "m"), "bread": ("pan", "m"),
    "apple": ("manzana", "f"), "meat": ("carne", "f"), "rice": ("arroz", "m"),
    "soup": ("sopa", "f"), "cheese": ("queso", "m"), "milk": ("leche", "f"), "tea": ("té", "m"),
    "coffee": ("café", "m"), "juice": ("jugo", "m"), "book": ("libro", "m"),
    "letter": ("carta", "f"), "newspaper": ("periódico", "m"), "car": ("coche", "m"),
    "bicycle": ("bicicleta", "f"), "train": ("tren", "m"), "hat": ("sombrero", "m"),
    "coat": ("abrigo", "m"), "shirt": ("camisa", "f"), "lamp": ("lámpara", "f"),
    "knife": ("cuchillo", "m"), "table": ("mesa", "f"), "picture": ("cuadro", "m"),
    "box": ("caja", "f"), "door": ("puerta", "f"), "window": ("ventana", "f"),
    "house": ("casa", "f"), "school": ("escuela", "f"), "hotel": ("hotel", "m"),
    "hospital": ("hospital", "m"), "garden": ("jardín", "m"), "church": ("iglesia", "f"),
    "city": ("ciudad", "f"), "country": ("país", "m"), "company": ("empresa", "f"),
    "animal": ("animal", "m"), "person": ("persona", "f"), "capital": ("capital", "f"),
}  # fmt: skip
FEMALE = {
    "doctor": "doctora", "teacher": "maestra", "farmer": "granjera", "writer": "escritora",
    "student": "estudiante", "cook": "cocinera", "soldier": "soldado", "singer": "cantante",
    "friend": "amiga",
}  # fmt: skip
ADJECTIVES: dict[str, str] = {  # masculine; -o becomes -a, the others have one form
    "good": "bueno", "young": "joven", "clever": "inteligente", "rich": "rico", "poor": "pobre",
    "beautiful": "bonito", "hungry": "hambriento", "black": "negro", "big": "grande",
    "white": "blanco", "small": "pequeño", "cheap": "barato", "cold": "frío", "expensive": "caro",
    "hot": "caliente", "new": "nuevo", "long": "largo", "old": "viejo", "red": "rojo",
    "green": "verde",
}  # fmt: skip
STATES = frozenset({"hungry", "hot", "cold"})  # said with "estar"
VERBS: dict[str, tuple[str, str]] = {  # concept → (infinitive, third person)
    "eat": ("comer", "come"), "read": ("leer", "lee"), "love": ("amar", "ama"),
    "drink": ("beber", "bebe"), "drive": ("conducir", "conduce"), "see": ("ver", "ve"),
    "wear": ("usar", "usa"), "sell": ("vender", "vende"), "buy": ("comprar", "compra"),
    "write": ("escribir", "escribe"), "cook": ("cocinar", "cocina"), "open": ("abrir", "abre"),
    "know": ("conocer", "conoce"), "build": ("construir", "construye"), "hear": ("oír", "oye"),
    "carry": ("llevar", "lleva"), "find": ("encontrar", "encuentra"), "call": ("llamar", "llama"),
    "give": ("dar", "da"), "send": ("enviar", "envía"), "show": ("mostrar", "muestra"),
    "bring": ("traer", "trae"), "sleep": ("dormir", "duerme"), "sing": ("cantar", "canta"),
    "run": ("correr", "corre"), "laugh": ("reír", "ríe"), "swim": ("nadar", "nada"),
    "dance": ("bailar", "baila"), "fly": ("volar", "vuela"), "cry": ("llorar", "llora"),
    "play": ("jugar", "juega"), "live": ("vivir", "vive"), "work": ("trabajar", "trabaja"),
    "rest": ("descansar", "descansa"), "go": ("ir", "va"), "come": ("venir", "viene"),
    "return": ("volver", "vuelve"), "say": ("decir", "dice"), "think": ("pensar", "piensa"),
    "believe": ("creer", "cree"),
}  # fmt: skip
ADVERBS = {
    "today": "hoy", "always": "siempre", "now": "ahora", "slowly": "lentamente",
    "quickly": "rápidamente", "well": "bien",
}  # fmt: skip
NAMES = {
    "john": "Juan", "peter": "Pedro", "paul": "Pablo", "david": "David", "michael": "Miguel",
    "thomas": "Tomás", "mary": "María", "anna": "Ana", "helen": "Elena", "sophia": "Sofía",
    "julia": "Julia", "kate": "Catalina", "smith": "García", "taylor": "López", "wilson": "Pérez",
    "clark": "Torres", "evans": "Ruiz", "walker": "Castro", "harris": "Molina",
    "cooper": "Navarro",
}  # fmt: skip
PLACES = {
    "london": "Londres", "paris": "París", "moscow": "Moscú", "delhi": "Delhi", "madrid": "Madrid",
    "rome": "Roma", "berlin": "Berlín", "cairo": "Cairo", "vienna": "Viena",
    "cape_town": "Ciudad del Cabo", "england": "Inglaterra", "france": "Francia",
    "russia": "Rusia", "india": "India", "spain": "España", "italy": "Italia",
    "germany": "Alemania", "egypt": "Egipto", "austria": "Austria", "south_africa": "Sudáfrica",
}  # fmt: skip
FEMALE_PLACES = frozenset({
    "rome", "vienna", "cape_town", "england", "france", "russia", "india", "spain", "italy",
    "germany", "austria", "south_africa",
})  # fmt: skip
BRANDS = {
    "orion": "Orión", "atlas": "Atlas", "delta": "Delta", "phoenix": "Fénix", "apollo": "Apolo",
    "sigma": "Sigma", "titan": "Titán", "aurora": "Aurora",
}  # fmt: skip
ORGANISATION_TYPES = {
    "bank": ("Banco", "m"), "university": ("Universidad", "f"), "museum": ("Museo", "m"),
    "club": ("Club", "m"),
}  # fmt: skip
