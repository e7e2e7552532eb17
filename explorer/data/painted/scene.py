"""Everything that is random in a painted photo: pose, position, light and surroundings.

Scenes do not depend on the traits of birds, so any bird can be painted in a scene.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Backdrop: TypeAlias = Literal["foliage", "autumn", "sky", "dusk", "meadow", "water", "blossom"]
Perch: TypeAlias = Literal["branch", "post", "rock", "ground", "none"]
OccluderKind: TypeAlias = Literal["leaf", "twig", "blade"]

PERCHES: dict[Backdrop, tuple[Perch, ...]] = {
    "foliage": ("branch", "branch", "post"),
    "autumn": ("branch", "branch", "post"),
    "sky": ("branch", "post", "rock"),
    "dusk": ("branch", "branch", "post"),
    "meadow": ("post", "ground", "rock"),
    "water": ("rock", "post", "branch"),
    "blossom": ("branch",),
}
OCCLUDED_PARTS = ("belly", "breast", "near wing", "tail", "back", "legs", "throat", "crown")


@dataclass(frozen=True)
class Pose:
    """Pose of a bird. Angles are in degrees, lengths in body lengths.

    Attributes
    ----------
    facing : {-1, 1}
        -1 if the bird faces left in the image and shows its left side; 1 for right.
    tilt : float
        Tilt of the body, positive if the breast is raised.
    head_pitch, head_turn : float
        Pitch of the head, positive if the beak is raised; turn of the head, positive towards the
        viewer.
    head_height : float
        How far the neck is stretched.
    tail_angle : float
        Angle between tail and body, positive if the tail is raised.
    wings_raised : bool
        Whether both wings are raised, so that the far one is visible.
    wing_angle : float
        Rotation of the near wing from its default position.
    stride : float
        Distance between the feet; 0 hides the far leg behind the near one.
    plumpness : float
        Factor for the depth of the body.
    flying : bool
        Whether the bird is in the air, with its legs hidden in the plumage.
    """

    facing: int
    tilt: float
    head_pitch: float
    head_turn: float
    head_height: float
    tail_angle: float
    wings_raised: bool
    wing_angle: float
    stride: float
    plumpness: float
    flying: bool


@dataclass(frozen=True)
class Occluder:
    """An object in front of the bird.

    Attributes
    ----------
    kind : {"leaf", "twig", "blade"}
        Type of the object.
    part : str
        The part that it covers, one of `OCCLUDED_PARTS`.
    angle : float
        Angle of its long axis, degrees.
    length, width : float
        Size, body lengths.
    tone : float
        Brightness, 0 to 1.
    """

    kind: OccluderKind
    part: str
    angle: float
    length: float
    width: float
    tone: float


@dataclass(frozen=True)
class Scene:
    """The random properties of a photo.

    Attributes
    ----------
    seed : int
        Seed of the scene, also for its details (leaves, ripples, feathers).
    pose : Pose
        Pose of the bird.
    extent : float
        Longer side of the bird, as a fraction of the image's side.
    place : (float, float)
        Position (x, y) of the bird within the free space, 0 to 1.
    brightness, warmth, contrast : float
        Exposure (1 is neutral), red relative to blue (0 is neutral), strength of the shading.
    light_angle : float
        Degrees; 90 is light from above, larger angles are light from the left.
    gradient : float
        Change in brightness across the image.
    backdrop, perch : str
        Kinds of backdrop and perch.
    perch_angle : float
        Angle of the perch, degrees.
    occluder : Occluder or None
        An object in front of the bird.
    distractor : Occluder or None
        An unrelated object behind the bird. Its `part` is a corner of the picture: "top left", "top
        right", "bottom left" or "bottom right". `draw_scene` never draws one.
    eye_tone, leg_tone : float
        Brightness, 0 to 1.
    tint : (float, float, float)
        Factors close to 1 for the bird's red, green and blue, as an individual variation.
    """

    seed: int
    pose: Pose
    extent: float
    place: tuple[float, float]
    brightness: float
    warmth: float
    contrast: float
    light_angle: float
    gradient: float
    backdrop: Backdrop
    perch: Perch
    perch_angle: float
    occluder: Occluder | None
    eye_tone: float
    leg_tone: float
    tint: tuple[float, float, float]
    distractor: Occluder | None = None

    def make_generator(self, stream: int) -> np.random.Generator:
        """Return a random generator for one purpose; each call returns the same numbers."""
        return np.random.default_rng([self.seed, stream])


def _draw_pose(rng: np.random.Generator) -> Pose:
    raised = bool(rng.random() < 0.16)
    flying = raised and bool(rng.random() < 0.6)
    return Pose(
        facing=int(rng.choice([-1, 1])),
        tilt=float(rng.uniform(-4, 22) if flying else rng.uniform(8, 48)),
        head_pitch=float(rng.uniform(-14, 16)),
        head_turn=float(rng.uniform(-14, 24)),
        head_height=float(rng.uniform(-0.03, 0.09)),
        tail_angle=float(rng.uniform(-14, 16)),
        wings_raised=raised,
        wing_angle=float(rng.uniform(-12, 14) if raised else rng.uniform(-5, 5)),
        stride=0.0 if rng.random() < 0.5 else float(rng.uniform(0.12, 0.2)),
        plumpness=float(rng.uniform(0.9, 1.1)),
        flying=flying,
    )


def _draw_occluder(rng: np.random.Generator, flying: bool) -> Occluder:
    kind: OccluderKind = ("leaf", "twig", "blade")[int(rng.integers(3))]
    parts = [part for part in OCCLUDED_PARTS if not (flying and part == "legs")]
    thickness = {"leaf": (0.2, 0.3), "twig": (0.05, 0.08), "blade": (0.07, 0.11)}[kind]
    return Occluder(
        kind=kind,
        part=parts[int(rng.integers(len(parts)))],
        angle=float(rng.uniform(0, 360) if kind == "leaf" else rng.uniform(60, 120)),
        length=float(rng.uniform(0.45, 0.65)),
        width=float(rng.uniform(*thickness)),
        tone=float(rng.random()),
    )


def draw_scene(seed: int, occluder_share: float = 0.15) -> Scene:
    """Draw a random scene.

    Parameters
    ----------
    seed : int
        At least 0. The same seed gives the same scene.
    occluder_share : float
        Probability, 0 to 1, that something is in front of the bird.

    Returns
    -------
    Scene
        The scene, which does not depend on any traits.
    """
    rng = np.random.default_rng([seed, 0])
    pose = _draw_pose(rng)
    backdrop = list(PERCHES)[int(rng.integers(len(PERCHES)))]
    perches = PERCHES[backdrop]
    perch = perches[int(rng.integers(len(perches)))]
    low, high = (0.62, 0.84) if pose.wings_raised else (0.5, 0.8)
    occluder = _draw_occluder(rng, pose.flying)
    occluded = rng.random() < occluder_share
    tint = rng.uniform(0.95, 1.05, 3)
    return Scene(
        seed=seed,
        pose=pose,
        extent=float(rng.uniform(low, high)),
        place=(float(rng.random()), float(rng.random())),
        brightness=float(rng.uniform(0.86, 1.1)),
        warmth=float(rng.uniform(-0.06, 0.09)),
        contrast=float(rng.uniform(0.75, 1.15)),
        light_angle=float(rng.uniform(50, 130)),
        gradient=float(rng.uniform(0.0, 0.16)),
        backdrop=backdrop,
        perch="none" if pose.flying else perch,
        perch_angle=float(rng.uniform(-14, 14)),
        occluder=occluder if occluded else None,
        eye_tone=float(rng.random()),
        leg_tone=float(rng.random()),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )
