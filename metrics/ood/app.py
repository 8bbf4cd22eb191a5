"""The metric's page: paste scores and which of them are anomalies, read the figures."""

import evaluate
import gradio

metric = evaluate.load("ood.py")


def compute(predictions: str, references: str, recall_level: float) -> dict[str, float]:
    try:
        scores, is_anomaly = ([float(number) for number in text.split()] for text in (predictions, references))
        return metric.compute(predictions=scores, references=is_anomaly, recall_level=recall_level)
    except ValueError as error:
        raise gradio.Error(str(error)) from error


page = gradio.Interface(
    compute,
    [
        gradio.Textbox("0.1 0.4 0.35 0.8", label="Anomaly scores, higher for more anomalous", lines=4),
        gradio.Textbox("0 0 1 1", label="1 for an anomaly, 0 for an in-distribution example", lines=4),
        gradio.Slider(0.5, 1.0, 0.95, step=0.01, label="Recall of anomalies at which false positives are counted"),
    ],
    gradio.JSON(label="Fractions of 1"),
    title="Out-of-distribution detection",
    description="FPR at N % recall, AUROC and AUPR; anomalies are the positive class.",
    flagging_mode="never",
    analytics_enabled=False,
)

if __name__ == "__main__":
    page.launch()
