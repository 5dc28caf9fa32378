"""ISO 639-1 → ISO 639-3 of the languages that have treebanks or large Wikipedias.

WALS knows languages by the second. Macrolanguages stand for their standard variety: ar for Modern
Standard Arabic, zh for Mandarin, fa for Western Persian.
"""

from __future__ import annotations

_CODES = """
af:afr am:amh ar:arb as:asm ay:ayr az:azj ba:bak be:bel bg:bul bm:bam bn:ben bo:bod br:bre bs:bos
ca:cat ce:che co:cos cs:ces cv:chv cy:cym da:dan de:deu dv:div el:ell en:eng eo:epo es:spa et:ekk
eu:eus fa:pes ff:fuc fi:fin fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:gug gu:guj gv:glv ha:hau
he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye id:ind ig:ibo is:isl it:ita iu:ike ja:jpn jv:jav ka:kat
kk:kaz kl:kal km:khm kn:kan ko:kor ku:kmr kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao
lt:lit lv:lvs mg:plt mi:mri mk:mkd ml:mal mn:khk mr:mar ms:zsm mt:mlt my:mya nb:nob ne:npi nl:nld
nn:nno no:nor nv:nav ny:nya oc:oci om:gaz or:ory os:oss pa:pan pl:pol ps:pst pt:por qu:quz ro:ron
ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:als
sr:srp ss:ssw st:sot su:sun sv:swe sw:swh ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn
to:ton tr:tur ts:tso tt:tat tw:twi ug:uig uk:ukr ur:urd uz:uzn ve:ven vi:vie wo:wol xh:xho yi:ydd
yo:yor zh:cmn zu:zul
"""
ISO_639_3: dict[str, str] = {entry[:2]: entry[3:] for entry in _CODES.split()}

FURTHER = {
    "nb": ("nor",), "nn": ("nor",), "no": ("nob", "nno"), "et": ("est",), "lv": ("lav",),
    "sq": ("sqi",), "sw": ("swa",), "hr": ("hbs",), "sr": ("hbs",), "bs": ("hbs",), "ar": ("ara",),
    "fa": ("fas",), "ms": ("msa",), "mn": ("mon",), "zh": ("zho",), "or": ("ori",), "ne": ("nep",),
    "az": ("aze",), "uz": ("uzb",), "yi": ("yid",),
}  # fmt: skip
"""Other codes under which a language may be found."""
