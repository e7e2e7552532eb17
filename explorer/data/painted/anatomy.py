"""Geometry of a painted bird: its coordinate frames, outlines and part points.

Lengths are in body lengths. Birds are defined facing right, with y up, and mirrored if they face
left. Only the outlines of tail and beak depend on the traits.
"""

from dataclasses import dataclass

import numpy as np

from explorer.data.painted.canvas import Frame, Points, smooth_closed, smooth_open
from explorer.data.painted.scene import Pose, Scene
from explorer.data.painted.traits import PART_NAMES, BeakShape, TailShape

HEAD_RADIUS = 0.27
EYE = (0.34, 0.16)
BEAK_REACH = 1.95
TAIL_LENGTH = 0.66
WING_LENGTH = 0.98

_WING_FOLDED = [(0.06, 0.06), (-0.12, 0.12), (-0.42, 0.1), (-0.72, 0.045), (-0.98, -0.04)]
_WING_FOLDED += [(-0.74, -0.12), (-0.42, -0.2), (-0.12, -0.18), (0.04, -0.07)]
_WING_RAISED = [(-0.04, 0.16), (0.3, 0.23), (0.62, 0.2), (0.9, 0.08), (1.0, -0.04), (0.9, -0.1)]
_WING_RAISED += [(0.86, -0.16), (0.76, -0.19), (0.7, -0.25), (0.58, -0.27), (0.5, -0.31)]
_WING_RAISED += [(0.36, -0.31), (0.26, -0.33), (0.1, -0.28), (-0.06, -0.18)]


@dataclass(frozen=True)
class Skeleton:
    """The coordinate frames of a bird in the image.

    Attributes
    ----------
    unit : float
        Body length in pixels.
    world, body, head, tail : Frame
        `head` is in head radii, the others in body lengths.
    near_wing, far_wing : Frame
        The first axis points to the front of a folded wing, or to the tip of a raised wing.
    hips, feet : (2, 2) float
        Of the near and the far leg, pixels.
    pose : Pose
        Pose of the bird.
    """

    unit: float
    world: Frame
    body: Frame
    head: Frame
    tail: Frame
    near_wing: Frame
    far_wing: Frame
    hips: Points
    feet: Points
    pose: Pose

    def turn_head(self, points: list[tuple[float, float]]) -> Points:
        """Rotate points on the near side of the unit sphere with the head; return pixels."""
        flat = np.asarray(points, np.float64)
        depth = np.sqrt(np.clip(1 - (flat**2).sum(axis=1), 0, 1))
        angle = np.deg2rad(self.pose.head_turn)
        # If the head turns towards the viewer, the near cheek moves back.
        turned = flat[:, 0] * np.cos(angle) - depth * np.sin(angle)
        return self.head.to_image(np.stack([turned, flat[:, 1]], axis=1))


def _assemble(pose: Pose, perch_slope: float, world: Frame, unit: float) -> Skeleton:
    body = world.make_child((0, 0), pose.tilt)
    neck = np.deg2rad(pose.tilt)
    anchor = 0.42 * np.array([np.cos(neck), np.sin(neck)])
    anchor += 0.2 * np.array([-np.sin(neck), np.cos(neck)])
    lift = (0.09, 0.1) if pose.flying else (0.11, 0.17 + pose.head_height)
    head = world.make_child(anchor + lift, pose.head_pitch, HEAD_RADIUS)
    if pose.wings_raised:
        near_wing = body.make_child((0.06, 0.16), 118 + pose.wing_angle)
        far_wing = body.make_child((0.14, 0.18), 78 + 0.6 * pose.wing_angle, 0.95)
    else:
        near_wing = far_wing = body.make_child((0.24, 0.06), pose.wing_angle)
    hip = _to_world(pose, (0.0, -0.3 * pose.plumpness))
    near = hip + np.array([0.05, -0.3])
    # The slope of the perch is that in the image, so its sign depends on the facing.
    far = near + np.array([1.0, pose.facing * perch_slope]) * pose.stride
    hips = np.stack([hip, hip + np.array([0.7 * pose.stride, 0.02])])
    return Skeleton(
        unit=unit,
        world=world,
        body=body,
        head=head,
        tail=body.make_child((-0.5, 0.04), 180 - pose.tail_angle),
        near_wing=near_wing,
        far_wing=far_wing,
        hips=world.to_image(hips),
        feet=world.to_image(np.stack([near, far])),
        pose=pose,
    )


def _to_world(pose: Pose, point: tuple[float, float]) -> Points:
    angle = np.deg2rad(pose.tilt)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: Points = np.array(point) @ turn
    return turned


def _list_extremities(skeleton: Skeleton) -> Points:
    """Return points that bound a bird with the longest possible beak and tail."""
    ends = [
        outline_body(skeleton),
        skeleton.head.to_image([(BEAK_REACH, 0.1)]),
        skeleton.tail.to_image([(TAIL_LENGTH, -0.15), (TAIL_LENGTH, 0.15)]),
        outline_wing(skeleton, skeleton.near_wing),
    ]
    if skeleton.pose.wings_raised:
        ends.append(outline_wing(skeleton, skeleton.far_wing))
    if not skeleton.pose.flying:
        ends.append(skeleton.feet)
    return np.concatenate(ends)


def build_skeleton(scene: Scene, size: int) -> Skeleton:
    """Place the bird of a scene in a square image of `size` pixels.

    The longer side of the bird is the fraction `scene.extent` of the image, and the bird is
    completely inside.
    """
    slope = np.tan(np.deg2rad(scene.perch_angle)) if scene.perch == "branch" else 0.0
    flip = np.array([[float(scene.pose.facing), 0.0], [0.0, -1.0]])
    trial = _list_extremities(_assemble(scene.pose, slope, Frame(np.zeros(2), flip), 1.0))
    low, high = trial.min(axis=0), trial.max(axis=0)
    unit = scene.extent * size / float((high - low).max())
    margin = 0.03 * size
    free = size - 2 * margin - unit * (high - low)
    origin = margin + np.array(scene.place) * free - unit * low
    return _assemble(scene.pose, slope, Frame(origin, unit * flip), unit)


def outline_body(skeleton: Skeleton) -> Points:
    """Return the outline of body and head, pixels."""
    depth = (1.0, skeleton.pose.plumpness)
    chin = skeleton.head.to_image([(0.93, -0.2), (0.66, -0.72)])
    underside = [(0.53, -0.04), (0.42, -0.25), (0.1, -0.36), (-0.27, -0.25), (-0.56, -0.06)]
    back = [(-0.56, 0.12), (-0.22, 0.27), (0.08, 0.33)]
    crown = [(-0.95, 0.0), (-0.74, 0.68), (-0.1, 1.0), (0.56, 0.83), (0.92, 0.36)]
    trunk = skeleton.body.to_image(np.array(underside + back) * depth)
    return smooth_closed(np.concatenate([chin, trunk, skeleton.head.to_image(crown)]))


def outline_wing(skeleton: Skeleton, wing: Frame) -> Points:
    """Return the outline of a wing, folded or raised, pixels."""
    if skeleton.pose.wings_raised:
        return wing.to_image(smooth_closed(np.array(_WING_RAISED) * (WING_LENGTH, 1)))
    return wing.to_image(smooth_closed(_WING_FOLDED))


def outline_tail(skeleton: Skeleton, shape: TailShape) -> Points:
    """Return the outline of the tail, pixels."""
    # Half of the end, from the corner to the middle: distances from the tip and from the axis.
    half = {
        "square": [(0.04, 0.15), (0.0, 0.13), (0.0, 0.0)],
        "forked": [(0.0, 0.2), (0.08, 0.1), (0.2, 0.0)],
        "rounded": [(0.17, 0.19), (0.04, 0.12), (0.0, 0.0)],
    }[shape]
    corners = [(TAIL_LENGTH - short, aside) for short, aside in half]
    corners += [(x, -y) for x, y in corners[-2::-1]]
    sides = [(-0.12, -0.1), (-0.12, 0.1), (0.1, 0.1), (0.35, 0.125)]
    outline = [*sides, *corners, (0.35, -0.125), (0.1, -0.1)]
    return skeleton.tail.to_image(smooth_closed(outline, 5))


def outline_beak(skeleton: Skeleton, shape: BeakShape) -> tuple[Points, Points]:
    """Return the outline of the beak and the line between its halves, pixels."""
    upper, tip, lower = {
        "cone": ([(0.7, 0.42), (1.14, 0.37)], (1.68, -0.03), [(1.18, -0.3), (0.7, -0.36)]),
        "thin": ([(0.7, 0.28), (1.25, 0.2)], (1.92, 0.02), [(1.25, -0.12), (0.7, -0.22)]),
        "hooked": (
            [(0.7, 0.42), (1.2, 0.42), (1.66, 0.22)],
            (1.78, -0.3),
            [(1.55, -0.12), (1.12, -0.28), (0.7, -0.34)],
        ),
    }[shape]
    shorten = (np.cos(np.deg2rad(skeleton.pose.head_turn)), 1.0)
    top, bottom = smooth_open([*upper, tip]), smooth_open([tip, *lower])
    gape = smooth_open([(0.75, -0.03), (1.1, 0.03), (0.9 * tip[0], 0.5 * tip[1])])
    outline = np.concatenate([top, bottom]) * shorten
    return skeleton.head.to_image(outline), skeleton.head.to_image(gape * shorten)


def locate_parts(skeleton: Skeleton) -> tuple[Points, str, str]:
    """Locate the 15 parts of a bird seen from the side.

    Returns
    -------
    (15, 2) float64
        Points (x, y), pixels, in the order of `PART_NAMES`, including hidden parts.
    near, far : {"left", "right"}
        The side of the bird that faces the viewer, and the other one. A bird that faces left in the
        image shows its left side.
    """
    depth = skeleton.pose.plumpness
    near, far = ("right", "left") if skeleton.pose.facing == 1 else ("left", "right")
    wing_middle = (0.5, -0.03) if skeleton.pose.wings_raised else (-0.38, -0.04)
    eye = skeleton.turn_head([EYE])[0]
    legs = 0.35 * skeleton.hips + 0.65 * skeleton.feet
    shorten = np.cos(np.deg2rad(skeleton.pose.head_turn))
    # Each point is in the middle of the region that `bird` and `limbs` paint as that part.
    points = {
        "back": skeleton.body.to_image((-0.14, 0.235 * depth)),
        "beak": skeleton.head.to_image((1.25 * shorten, 0.03)),
        "belly": skeleton.body.to_image((0.04, -0.26 * depth)),
        "breast": skeleton.body.to_image((0.4, -0.08 * depth)),
        "crown": skeleton.head.to_image((-0.08, 0.74)),
        "forehead": skeleton.turn_head([(0.78, 0.48)])[0],
        "nape": skeleton.head.to_image((-0.82, -0.12)),
        "tail": skeleton.tail.to_image((0.42, 0.0)),
        "throat": skeleton.head.to_image((0.52, -0.62)),
        f"{near} eye": eye,
        f"{far} eye": eye,
        f"{near} leg": legs[0],
        f"{far} leg": legs[1],
        f"{near} wing": skeleton.near_wing.to_image(wing_middle),
        f"{far} wing": skeleton.far_wing.to_image(wing_middle),
    }
    return np.stack([points[name] for name in PART_NAMES]), near, far
