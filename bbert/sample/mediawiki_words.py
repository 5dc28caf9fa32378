"""Words of a wiki that are not sentences: namespaces, headings, categories, labels."""

from __future__ import annotations

# Namespace names by key, as MediaWiki localises them.
_KEYS = (-1, 0, 1, 2, 4, 6, 10, 14)
_NAMES = {
    "en": "Special||Talk|User|Wikipedia|File|Template|Category",
    "es": "Especial||Discusión|Usuario|Wikipedia|Archivo|Plantilla|Categoría",
    "hi": "विशेष||वार्ता|सदस्य|विकिपीडिया|चित्र|साँचा|श्रेणी",
    "ru": "Служебная||Обсуждение|Участник|Википедия|Файл|Шаблон|Категория",
}
NAMESPACES: dict[str, dict[int, str]] = {
    language: dict(zip(_KEYS, names.split("|"), strict=True)) for language, names in _NAMES.items()
}
SITE = {language: names[4] for language, names in NAMESPACES.items()}


def _table(keys: str, rows: dict[str, str]) -> dict[str, dict[str, str]]:
    return {
        language: dict(zip(keys.split(), row.split(), strict=True))
        for language, row in rows.items()
    }


HEADINGS = _table(
    "life work people economy references",
    {
        "en": "Life Work People Economy References",
        "es": "Vida Trabajo Población Economía Referencias",
        "hi": "जीवन कार्य जनसंख्या अर्थव्यवस्था सन्दर्भ",
        "ru": "Жизнь Работа Население Экономика Примечания",
    },
)
LABELS = _table(
    "name year box stub redirect",
    {
        "en": "name year Infobox Stub REDIRECT",
        "es": "nombre año Ficha Esbozo REDIRECCIÓN",
        "hi": "नाम वर्ष ज्ञानसन्दूक आधार पुनर्प्रेषित",
        "ru": "имя год Карточка Заготовка ПЕРЕНАПРАВЛЕНИЕ",
    },
)
CATEGORIES = _table(  # by kind of topic
    "person place noun organisation",
    {
        "en": "People Cities Animals Companies",
        "es": "Personas Ciudades Animales Empresas",
        "hi": "लोग शहर जानवर कंपनियाँ",
        "ru": "Люди Города Животные Компании",
    },
)
