//! The registry of lessons: one row each.

use crate::attack::{Norm, TargetChoice};
use crate::defence::Stance;
use crate::error::{Error, Result};
use crate::experiment::lessons::{LessonClaim, LessonSide, LessonSpec};

/// PGD in L∞ against a digit network; the sides change what matters to them.
const DIGITS: LessonSide = LessonSide {
    label: "",
    model: "mnist-cnn",
    defence: "",
    stance: Stance::Adaptive,
    attack: "pgd",
    norm: Norm::Linf,
    epsilon: 0.3,
    aim: TargetChoice::Untargeted,
};

/// The same against a network on small colour images, where a shifted pixel matters more.
const PICTURES: LessonSide =
    LessonSide { model: "cifar-resnet", attack: "pgd:steps=20", epsilon: 8.0 / 255.0, ..DIGITS };

/// An attack with a direction: all of the squeezed images have to end in the same class.
const AGREEING: LessonSide = LessonSide {
    attack: "pgd:steps=100",
    norm: Norm::L2,
    epsilon: 3.0,
    aim: TargetChoice::SecondMostLikely,
    ..DIGITS
};

/// Every lesson, in the order of menus.
pub static LESSONS: &[LessonSpec] = &[
    LessonSpec {
        id: "distillation",
        title: "Defensive distillation hides the gradient; a loss on logits finds it again",
        about: "Trained at a high temperature and used at 1, the network is so sure that the softmax \
                rounds to 1 and cross-entropy has no gradient in single precision. The published attack \
                stalls. The margin of the logits is as steep as ever: DLR (or C&W) walks through.",
        paper: "Papernot et al., S&P 2016; broken by Carlini and Wagner, S&P 2017",
        sides: &[
            LessonSide {
                label: "cross-entropy behind the softmax",
                defence: "distilled",
                stance: Stance::Gradient,
                ..DIGITS
            },
            LessonSide {
                label: "DLR on the logits",
                defence: "distilled",
                attack: "apgd-dlr:steps=40",
                ..DIGITS
            },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "jpeg",
        title: "JPEG stops a gradient, not an attacker",
        about: "Rounding in the codec has no gradient, so an attack through it does nothing. Taking the \
                codec for the identity on the way back (BPDA) is enough to break it.",
        paper: "Guo et al., ICLR 2018; broken by Athalye, Carlini, Wagner, ICML 2018",
        sides: &[
            LessonSide {
                label: "gradient through JPEG",
                defence: "jpeg:75",
                stance: Stance::Gradient,
                ..DIGITS
            },
            LessonSide { label: "BPDA", defence: "jpeg:75", ..DIGITS },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "bit-depth",
        title: "Fewer bits stop a gradient, not an attacker",
        about: "The gradient of rounding is zero almost everywhere. Straight through it (BPDA) the \
                attack is as strong as on the bare network.",
        paper: "Xu, Evans, Qi, NDSS 2018; broken by He et al., WOOT 2017",
        sides: &[
            LessonSide {
                label: "gradient through rounding",
                defence: "bits:3",
                stance: Stance::Gradient,
                ..DIGITS
            },
            LessonSide { label: "BPDA", defence: "bits:3", ..DIGITS },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "resize-pad",
        title: "Random resizing fools who attacks one draw; the mean over draws breaks it",
        about: "The defence shows the network the picture at a random size and place. What was made for \
                the bare network misses; an attack on the expected answer (EOT) does not.",
        paper: "Xie et al., ICLR 2018; broken by Athalye, Carlini, Wagner, ICML 2018",
        sides: &[
            LessonSide {
                label: "naive",
                defence: "resize-pad:0.7",
                stance: Stance::Naive,
                ..PICTURES
            },
            LessonSide { label: "EOT", defence: "resize-pad:0.7", ..PICTURES },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "fgsm-at",
        title: "Trained on one large step, a network learns to beat one large step",
        about: "Catastrophic overfitting: trained against FGSM with a large step, the network bends its \
                loss so that the step misses. Against FGSM it looks nearly perfect; many small steps \
                find what is left.",
        paper: "Kurakin et al., ICLR 2017; Tramèr et al., ICLR 2018; Wong, Rice, Kolter, ICLR 2020",
        sides: &[
            LessonSide { label: "FGSM", defence: "fgsm-at", attack: "fgsm", ..DIGITS },
            LessonSide { label: "PGD", defence: "fgsm-at", ..DIGITS },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "other-norm",
        title: "What was trained in one ball promises nothing in another",
        about: "Adversarial training in L∞ flattens the loss in a cube whose corners are 8.4 away in L2. \
                A third of that way is enough for an attack that looks for the least L2 change.",
        paper: "Tramèr and Boneh, NeurIPS 2019; Schott et al., ICLR 2019",
        sides: &[
            LessonSide { label: "PGD, L∞ 0.3 as trained", defence: "pgd-at", ..DIGITS },
            LessonSide {
                label: "DDN, L2 3",
                defence: "pgd-at",
                attack: "ddn",
                norm: Norm::L2,
                epsilon: 3.0,
                ..DIGITS
            },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "rotation",
        title: "A turned digit is in no ball at all",
        about: "Rotation and shift move every pixel and change nothing that people mind. The network that \
                withstands L∞ 0.3 was never shown them.",
        paper: "Engstrom et al., ICML 2019",
        sides: &[
            LessonSide { label: "PGD, L∞ 0.3 as trained", defence: "pgd-at", ..DIGITS },
            LessonSide {
                label: "rotation and shift",
                defence: "pgd-at",
                attack: "rotate-translate",
                norm: Norm::L2,
                ..DIGITS
            },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "black-box",
        title: "Where a black box beats the white box, the gradient is hidden, not gone",
        about: "Training in L∞ leaves the network's first layer cutting off small changes: in L2 most of \
                PGD's gradient is zero. Random search, which needs none, breaks what PGD left standing. \
                Trust no evaluation by gradients alone.",
        paper: "Athalye, Carlini, Wagner, ICML 2018; Brendel, Rauber, Bethge, ICLR 2018",
        sides: &[
            LessonSide {
                label: "PGD, L2 4",
                defence: "pgd-at",
                norm: Norm::L2,
                epsilon: 4.0,
                ..DIGITS
            },
            LessonSide {
                label: "Square, L2 4",
                defence: "pgd-at",
                attack: "square:queries=1000",
                norm: Norm::L2,
                epsilon: 4.0,
                ..DIGITS
            },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "ensemble",
        title: "An ensemble of weak networks is one weak network",
        about: "Attacking one member leaves the others standing, and the ensemble with them. Attacked as \
                a whole, through the mean of its answers, it falls like each of them.",
        paper: "He et al., WOOT 2017; Tramèr et al., NeurIPS 2020",
        sides: &[
            LessonSide {
                label: "made on one member",
                defence: "ensemble",
                stance: Stance::Naive,
                epsilon: 0.1,
                ..DIGITS
            },
            LessonSide {
                label: "made on all of them",
                defence: "ensemble",
                epsilon: 0.1,
                ..DIGITS
            },
        ],
        claim: LessonClaim::Falls,
    },
    LessonSpec {
        id: "hybrid",
        title: "Layers help where one of them holds",
        about: "Preprocessing alone falls to who knows it. In front of an adversarially trained network \
                it costs little, and the training carries the weight: compare the hybrid with its parts.",
        paper: "Athalye, Carlini, Wagner, ICML 2018; He et al., WOOT 2017",
        sides: &[
            LessonSide { label: "JPEG alone", defence: "jpeg:75", ..DIGITS },
            LessonSide { label: "bit depth alone", defence: "bits:3", ..DIGITS },
            LessonSide {
                label: "JPEG + bit depth + PGD-AT",
                defence: "jpeg:75+bits:3+pgd-at",
                ..DIGITS
            },
        ],
        claim: LessonClaim::Gains,
    },
    LessonSpec {
        id: "squeezing",
        title: "Feature squeezing detects the attack that does not know it",
        about: "A picture that is answered differently after squeezing is refused. An attack that carries \
                the squeezed pictures along changes all answers alike, and passes.",
        paper: "Xu, Evans, Qi, NDSS 2018; broken by He et al., WOOT 2017",
        sides: &[
            LessonSide { label: "naive", defence: "squeeze", stance: Stance::Naive, ..AGREEING },
            LessonSide { label: "who knows the squeezers", defence: "squeeze", ..AGREEING },
        ],
        claim: LessonClaim::Falls,
    },
];

impl LessonSpec {
    /// Finds a lesson by its identifier.
    ///
    /// # Errors
    /// Usage, with the nearest known name.
    pub fn find(id: &str) -> Result<&'static Self> {
        LESSONS.iter().find(|lesson| lesson.id == id).ok_or_else(|| {
            let known = LESSONS.iter().map(|lesson| lesson.id);
            Error::unknown("lesson", id, "lessons", known, "`epsiloscope lessons`")
        })
    }
}
