"""Words that a question and a text use for one another: "verbally" is answered by "orally", "mortality" by "deaths".

A small list of plain English words, of contracts, rules, teaching, engineering and medicine, written from general
knowledge for texts of any kind. A line holds words that may stand for each other; a word may be on several lines.
What only looks alike (increase, decrease) or is narrower (aspirin, drug) is left out.
"""

from __future__ import annotations

from .tokens import content, stems

_GROUPS = """
disclose reveal divulge share communicate furnish impart transmit
keep retain retention maintain preserve store
destroy destruction erase delete discard dispose
return redeliver
copy copies duplicate reproduce reproduction replicate
oral orally verbal spoken
written writing document
notify notification inform notice advise alert
law statute regulation legislation
court judicial tribunal
require compel oblige mandate
forbid prohibit ban
allow permit authorize consent approve license
end terminate expire cease cancel
begin start commence initiate onset
survive continue remain persist
employee staff personnel officer worker
representative agent advisor adviser consultant
hire recruit solicit entice
acquire obtain receive procure purchase buy
sell sale
pay payment remunerate compensate reimburse
fee charge price cost expense
utilize exploit
purpose aim goal objective
own ownership title property
grant confer license
label mark designate identify legend
secret confidential proprietary
company firm corporation enterprise
contract agreement
breach violate violation infringe
damage harm injury loss
decompile disassemble
similar alike comparable equivalent
independent separate
create develop produce design
negotiate negotiation discussion talk
technical technological
affiliate subsidiary
dispute disagreement controversy
duty obligation responsibility
vehicle car automobile
build construct assemble
repair mend fix correct
break failure fault malfunction
computer software program
accurate accuracy precise precision
energy power
waste refuse rubbish
pollute pollution contaminate contamination
farm farming agriculture agricultural
forest woodland
money funding financial
poor poverty
city urban
village rural
crime offence offense
help assist aid support
safe safety
risk hazard danger
error mistake
fast quick rapid speed
big large
method technique procedure approach
teach instruct education
school classroom
student pupil learner
teacher instructor
exam examination test
customer client buyer
job occupation employment
death mortality die fatal lethal
pain ache analgesia analgesic
bleed bleeding hemorrhage
infant baby newborn neonate neonatal
child pediatric
adolescent teenager
elderly geriatric
woman female
man male
heart cardiac
kidney renal
liver hepatic
lung pulmonary
brain cerebral
stomach gastric
skin dermal cutaneous
bone skeletal
cancer tumor carcinoma neoplasm malignancy
fever pyrexia
vomit emesis
itch pruritus
drug medication medicine
illness disease disorder
doctor physician clinician
surgery surgical operation operative
fatigue tiredness
anxiety anxious
depression depressive
insomnia sleeplessness
smoking tobacco cigarette
obese obesity overweight
diet nutrition
exercise training
glucose sugar
pregnant pregnancy gestation
birth delivery
complication adverse
relapse recurrence
satisfaction satisfied
memory recall
"""


def _table() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _GROUPS.strip().splitlines():
        group = set(content(stems(line)))
        for stem in group:
            found.setdefault(stem, set()).update(group - {stem})
    return {stem: frozenset(others) for stem, others in found.items() if others}


SYNONYMS: dict[str, frozenset[str]] = _table()
"""Stem -> stems that may stand for it; symmetric."""
