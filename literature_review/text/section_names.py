"""The names that sections of papers bear, and what kind each is: the one list for documents and offline engine."""

from __future__ import annotations

KINDS: dict[str, str] = {
    name: kind
    for kind, names in {
        "abstract": "abstract|summary|synopsis|structured abstract|graphical abstract|plain language summary",
        "introduction": "introduction|background|objective|objectives|aim|aims|background and aims|motivation"
        "|introduction and background|background and objectives|purpose|rationale",
        "related_work": "related work|related works|literature review|review of literature|previous work"
        "|state of the art",
        "methods": "methods|method|methodology|materials and methods|material and methods|methods and materials"
        "|patients and methods|subjects and methods|participants and methods|methods and design|data and methods"
        "|methods and analysis|experimental procedures|experimental section|experimental setup|study design"
        "|design and methods|research design and methods|research methods|research methodology|online methods"
        "|star methods|experimental design|experimental methods",
        "results": "results|result|findings|main results|results and discussion|results and analysis"
        "|experimental results|experiments and results|results and findings|key results",
        "discussion": "discussion|discussions|general discussion|discussion and conclusion"
        "|discussion and conclusions|limitations|strengths and limitations|interpretation|implications",
        "conclusion": "conclusion|conclusions|concluding remarks|summary and conclusion|summary and conclusions"
        "|conclusion and future work|conclusions and future work|conclusions and outlook|future work"
        "|conclusion and outlook|conclusions and future directions|conclusion and future directions",
        "references": "references|reference|bibliography|literature cited|works cited|reference list"
        "|cited literature|references and notes",
        "acknowledgements": "acknowledgement|acknowledgements|acknowledgment|acknowledgments",
        "funding": "funding|funding sources|sources of funding|financial support|funding information"
        "|role of funding|role of the funding source|funding statement|grant support",
        "declarations": "competing interests|competing interest|conflict of interest|conflicts of interest"
        "|declaration of interest|declaration of competing interest|declarations|disclosure|disclosures"
        "|author contributions|authors' contributions|authors contributions|contributors|data availability"
        "|data availability statement|code availability|availability of data and materials|ethics approval"
        "|ethics statement|ethical approval|consent for publication|pre-publication history|trial registration"
        "|additional information|author information|provenance and peer review",
        "appendix": "appendix|appendices|supplement|supplementary information|supplementary material"
        "|supplementary materials|supporting information|supplementary data|extended data|annex",
        "other": "abbreviations|keywords|key words|index terms|contents|table of contents|title|highlights",
    }.items()
    for name in names.split("|")
}
"""Names that head a section wherever they stand alone on a line."""

PARTS: dict[str, str] = {
    name: kind
    for kind, names in {
        "introduction": "context|importance|background and purpose|hypothesis|theoretical background"
        "|study objectives|aim of the study",
        "methods": "experimental|design|setting|participants|patients|subjects|intervention|interventions"
        "|statistical analysis|statistics|statistical analyses|statistical methods"
        "|outcome measures|main outcome measures|measures|measurements|study population"
        "|randomization|randomisation|sample size|procedure|procedures|data collection"
        "|data analysis|trial design|study setting|study design and participants|data sources"
        "|recruitment|assessments",
        "results": "outcomes|efficacy|safety|adverse events|primary outcome|secondary outcomes"
        "|primary outcomes|patient characteristics|baseline characteristics|evaluation"
        "|experiments|methods and findings|methods and results|participant flow|empirical results",
        "discussion": "comment|comments|generalizability|overall evidence|limitations of the study"
        "|study limitations|strengths and weaknesses",
        "conclusion": "conclusions and relevance|outlook|significance|clinical relevance",
        "declarations": "conflict of interests|additional files|ethics approval and consent to participate"
        "|clinical trial registration|publishers note|electronic supplementary material"
        "|financial support and sponsorship|financial disclosure|registration|open access"
        "|about the authors|author details",
        "references": "further reading|literature|selected bibliography",
        "contents": "list of figures|list of tables",
        "front_matter": "authors|affiliations|correspondence|article history|author affiliations",
    }.items()
    for name in names.split("|")
}
"""Names that head a part of a section, or less surely a section: for who knows more of the line's place."""
