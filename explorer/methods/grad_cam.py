"""Grad-CAM of the classifier's own score."""

from dataclasses import dataclass

from explorer.methods.base import Array, Case, ScoreMethod


@dataclass(frozen=True, kw_only=True)
class GradCam(ScoreMethod):
    """Selvaraju et al., "Grad-CAM" (ICCV 2017)."""

    def draw(self, case: Case, pixels: Array, stop: str) -> Array:  # noqa: ARG002
        """Draw Grad-CAM of the category's logit, (1, h, w)."""
        return case.draw_grad_cam(pixels)

    def describe_maps(self, stop: str) -> str:  # noqa: ARG002
        """Name the only grid on which Grad-CAM has a map."""
        return "Grad-CAM on the coarse grid of the last convolution"


METHOD = GradCam(
    name="grad-cam",
    title="Grad-CAM",
    colour="#7a5195",
    summary="Grad-CAM of the network's own score, without a module.",
)
