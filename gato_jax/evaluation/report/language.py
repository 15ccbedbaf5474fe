"""Sections about text, questions and captions."""

from collections.abc import Mapping, Sequence

from data_pipelines import html_page
from data_pipelines.html_page import escape
from gato_jax.evaluation.metrics.captions import TOKENISER
from gato_jax.evaluation.results import LanguageScore


def language(scores: Sequence[LanguageScore]) -> str:
    """A section for each task."""
    return "".join(_section(score) for score in scores)


def _section(score: LanguageScore) -> str:
    if score.accuracy is not None:
        return _questions(score)
    return _captions(score) if score.captions else _text(score)


def _loss(score: LanguageScore) -> str:
    bits = "" if score.bits_per_byte is None else f" ({score.bits_per_byte:.3f} bits a byte)"
    return f"validation loss {score.loss:.3f} nats a token{bits} over {score.tokens:,} tokens"


def _questions(score: LanguageScore) -> str:
    about = (
        f"{escape(score.task)}: {100 * (score.accuracy or 0):.0f} % of {score.questions} held-out questions answered "
        f"exactly ({100 * (score.low or 0):.0f} to {100 * (score.high or 0):.0f} %), where always giving the commonest "
        f"answer reaches {100 * (score.majority or 0):.0f} %. "
    )
    if score.vqa_accuracy is not None:
        about += f"VQA accuracy over all that people answered: {100 * score.vqa_accuracy:.1f}. "
    about += f"{_loss(score).capitalize()}. The first {len(score.samples)} questions:"
    return html_page.section("Questions about pictures", _pictures(score.samples), about=about)


def _captions(score: LanguageScore) -> str:
    about = (
        f"{escape(score.task)}: CIDEr {score.cider or 0:.1f}, BLEU-4 {score.bleu or 0:.1f} over {score.captions} "
        f"held-out pictures (words: {TOKENISER}). {_loss(score).capitalize()}. The first {len(score.samples)}:"
    )
    return html_page.section("Captions", _pictures(score.samples, graded=False), about=about)


def _pictures(samples: Sequence[Mapping[str, str]], *, graded: bool = True) -> str:
    cards = []
    for sample in samples:
        right = sample["said"].strip().lower() == sample["expected"].strip().lower()
        verdict = "" if right else f' <span class="soft">(expected {escape(sample["expected"])})</span>'
        grade = ("tgood" if right else "tbad") if graded else ""
        prompt = f"{escape(sample['prompt'])}<br>" if sample["prompt"] else ""
        cards.append(
            f'<figure class="card sharp"><img alt="" src="data:image/png;base64,{escape(sample["picture"])}">'
            f'<figcaption>{prompt}<b class="{grade}">{escape(sample["said"] or "(nothing)")}</b>{verdict}'
            "</figcaption></figure>"
        )
    return f'<div class="grid films">{"".join(cards)}</div>'


def _text(score: LanguageScore) -> str:
    quotes = "".join(
        f'<div class="card"><blockquote>{escape(s["prompt"])}<span class="said">{escape(" " + s["said"])}</span>'
        "</blockquote></div>"
        for s in score.samples
    )
    about = f"{escape(score.task)}: {_loss(score)}."
    if quotes:
        about += " Held-out beginnings, and how the agent goes on (shaded):"
    return html_page.section("Text", f'<div class="grid two">{quotes}</div>', about=about)
