"""The metric's page: paste confidences and which predictions were right, read the figures."""

import evaluate
import gradio

metric = evaluate.load("calibration.py")


def compute(predictions: str, references: str) -> dict[str, float]:
    try:
        confidences, right = ([float(number) for number in text.split()] for text in (predictions, references))
        return metric.compute(predictions=confidences, references=right)
    except ValueError as error:
        raise gradio.Error(str(error)) from error


page = gradio.Interface(
    compute,
    [
        gradio.Textbox("1.0 0.75 0.5 0.25", label="Confidences in [0, 1]", lines=4),
        gradio.Textbox("1 1 1 0", label="1 where the prediction is right; 0 where it is wrong or an anomaly", lines=4),
    ],
    gradio.JSON(label="Fractions of 1"),
    title="Confidence calibration",
    description="RMS and MAV calibration error with adaptive bins of 100, and soft F1.",
    flagging_mode="never",
    analytics_enabled=False,
)

if __name__ == "__main__":
    page.launch()
