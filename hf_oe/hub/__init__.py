"""What a model takes along to the Hub, and the way there: `push`, the model card, and the Trainer's part of both."""

from .card import model_card, write_model_card
from .push import push, push_folder, save_for_hub
from .results import describe_results, histogram, write_csv

__all__ = [
    "describe_results",
    "histogram",
    "model_card",
    "push",
    "push_folder",
    "save_for_hub",
    "write_csv",
    "write_model_card",
]
