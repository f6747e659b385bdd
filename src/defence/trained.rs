//! Defences by training: another network answers.

use crate::defence::spec::DefenceSpec;
use crate::defence::transform::BackwardRule;
use crate::parameter::TextParam;

const NAME: TextParam =
    TextParam::new("name", "a model's name or folder; as `epsiloscope models` lists them");

/// Any network by name.
pub const MODEL: DefenceSpec = DefenceSpec {
    id: "model",
    aliases: &[],
    name: "model",
    family: "training",
    params: &[NAME.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "a network of your choice answers",
    about: "Lets another network answer, whatever it was trained for: the base of a hybrid, such as \
            jpeg:75+model:mnist-cnn-at.",
    paper: "",
    build: |settings, builder| builder.answer_by(NAME.get(settings).unwrap_or_default()),
};

/// Adversarial training by FGSM.
pub const FGSM_AT: DefenceSpec = DefenceSpec {
    id: "fgsm-at",
    name: "FGSM-AT",
    aliases: &[],
    summary: "a network trained on pictures attacked by one full step answers: a trap",
    about: "The oldest adversarial training: each picture of a batch is attacked by one FGSM step of the \
            whole ε before the network learns from it. It is cheap, and it looks perfect: against FGSM \
            the network soon holds nearly as well as on clean pictures. But it may only have learned to \
            bend its loss so that the one step leads nowhere (catastrophic overfitting); then PGD with \
            its small steps finds nothing left. Compare FGSM and PGD on it at the same ε: that a \
            stronger attack does so much better is the sign of a masked gradient. Where it does not \
            collapse it is no worse than longer training: with early stopping 86.4 % clean and 46.3 % \
            under PGD-10 on CIFAR-10 at 8/255 (Rice et al.).",
    paper: "Goodfellow, Shlens, Szegedy: Explaining and Harnessing Adversarial Examples, ICLR 2015; the trap: \
            Wong, Rice, Kolter: Fast Is Better than Free, ICLR 2020",
    ..PGD_AT
};

/// Adversarial training by one step from a random start.
pub const FAST_AT: DefenceSpec = DefenceSpec {
    id: "fast-at",
    name: "Fast AT",
    aliases: &[],
    summary: "a network trained on pictures attacked by one step from a random start answers",
    about: "FGSM training with one change: the step, of 1.25 ε, begins at a random point of the ball and \
            is projected back into it. That keeps the gradient honest most of the time, so that one step \
            does nearly what PGD training does in many: 83.3 % clean and 43.2 % under AutoAttack on \
            CIFAR-10 at 8/255 after twelve minutes of training; on MNIST at 0.3 88.8 % under PGD but \
            82.9 % under AutoAttack. With longer steps, wider balls or more epochs it overfits \
            catastrophically all the same, from one epoch to the next, so a PGD check belongs into its \
            training.",
    paper: "Wong, Rice, Kolter: Fast Is Better than Free: Revisiting Adversarial Training, ICLR 2020; limits: \
            Andriushchenko, Flammarion: Understanding and Improving Fast Adversarial Training, NeurIPS 2020",
    ..PGD_AT
};

/// Adversarial training.
pub const PGD_AT: DefenceSpec = DefenceSpec {
    id: "pgd-at",
    aliases: &["adv-trained"],
    name: "PGD-AT",
    family: "training",
    params: &[],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "a network trained on pictures attacked by PGD answers",
    about: "Adversarial training shows the network attacked pictures while it learns, and nothing else, so \
            that the loss is flat within the ball it was trained for. It is the defence whose accuracy \
            does not vanish when the attacker knows it: 88.5 % under AutoAttack on MNIST at 0.3, 44.0 % \
            on CIFAR-10 at 8/255 (a wide residual network). The price: training takes as many times as \
            long as the attack has steps, clean accuracy drops (87.1 % on CIFAR-10), and outside the \
            ball, or in another norm, little is promised: try L2, L1 or a rotation. Trained too long it \
            overfits: its robust accuracy falls while the clean one still rises (Rice et al. 2020).",
    paper: "Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
    build: |_, builder| builder.answer_by_trained(),
};

/// TRADES.
pub const TRADES: DefenceSpec = DefenceSpec {
    id: "trades",
    name: "TRADES",
    aliases: &[],
    summary: "a network trained to be right and to answer its neighbourhood alike answers",
    about: "The loss is taken apart: cross-entropy on the clean picture, and β times the divergence between \
            the answers to it and to the neighbour whose answer differs most. β trades clean accuracy for \
            robustness, openly: 84.9 % clean and 53.1 % under AutoAttack on CIFAR-10 at 8/255 with β = 6; \
            on MNIST at 0.3 99.5 % clean and 92.8 %. Attacks that do not look at cross-entropy alone \
            find several points more than PGD-20 does (56.6 % there).",
    paper: "Zhang et al.: Theoretically Principled Trade-off between Robustness and Accuracy, ICML 2019",
    ..PGD_AT
};

/// MART.
pub const MART: DefenceSpec = DefenceSpec {
    id: "mart",
    name: "MART",
    aliases: &[],
    summary: "a network trained with more weight on pictures that it gets wrong answers",
    about: "Like TRADES, but a picture counts the more the less sure the network is of it while it is clean, \
            and a margin keeps the second class away. Under PGD-10 it is ahead of both parents (54.7 % on \
            CIFAR-10 at 8/255, ResNet-18, against 52.7 % of PGD-AT), under AutoAttack it is behind them \
            (47.5 % against 48.7 %): part of what it gains is a loss surface that PGD climbs badly. \
            A lesson in judging by more than one attack.",
    paper: "Wang et al.: Improving Adversarial Robustness Requires Revisiting Misclassified Examples, \
            ICLR 2020",
    ..PGD_AT
};

/// Adversarial training with weight perturbation.
pub const AT_AWP: DefenceSpec = DefenceSpec {
    id: "at-awp",
    name: "PGD-AT + AWP",
    aliases: &["awp"],
    summary: "PGD-AT whose weights are attacked, too, while they learn",
    about: "Before each step the weights are moved a little the way that raises the loss on the attacked \
            pictures (each layer by γ of its size), the gradient is taken there, and the weights return. \
            Training ends where the loss is flat in the weights, and there robust overfitting, the gap \
            between training and test that adversarial training suffers from, is smaller: 50.8 % under \
            AutoAttack on CIFAR-10 against 48.7 % without it (ResNet-18, 8/255). The price: a third \
            gradient per step.",
    paper: "Wu, Xia, Wang: Adversarial Weight Perturbation Helps Robust Generalization, NeurIPS 2020",
    ..PGD_AT
};

/// TRADES with weight perturbation.
pub const TRADES_AWP: DefenceSpec = DefenceSpec {
    id: "trades-awp",
    name: "TRADES + AWP",
    aliases: &[],
    summary: "TRADES whose weights are attacked, too, while they learn",
    about: "Adversarial weight perturbation as in PGD-AT + AWP, on the loss of TRADES: one of the strongest \
            recipes without extra data. A wide residual network goes from 53.1 % to 56.2 % under \
            AutoAttack on CIFAR-10 at 8/255, a ResNet-18 from 49.5 % to 51.6 %.",
    ..AT_AWP
};

/// Spectral normalisation.
pub const SPECTRAL: DefenceSpec = DefenceSpec {
    id: "spectral",
    name: "spectral norm",
    aliases: &["spectral-norm"],
    summary: "a network answers whose layers cannot stretch anything by more than a bound",
    about: "Each weight matrix is divided by its largest singular value while it learns (found by power \
            iteration, one step at a time). The product of what is left bounds how much the logits can \
            change per unit of L2 change of the picture: the Lipschitz bound on the network's card, from \
            which a margin becomes a certified radius. The bound is loose: a layer's worst direction is \
            seldom the next one's, and a convolution's matrix bounds it only up to a factor that its \
            windows overlap by. So what it proves is small, and without adversarial training little is \
            left under PGD at the usual ε. The price: logits that cannot be far apart, so slower \
            learning and less confidence.",
    paper: "Miyato et al.: Spectral Normalization for GANs, ICLR 2018; as a defence: Farnia, Zhang, Tse: \
            Generalizable Adversarial Training via Spectral Normalization, ICLR 2019",
    ..PGD_AT
};

/// Defensive distillation.
pub const DISTILLED: DefenceSpec = DefenceSpec {
    id: "distilled",
    name: "distilled",
    aliases: &["distillation"],
    summary: "a network answers whose logits are so far apart that cross-entropy loses its gradient",
    about: "A teacher is trained with its logits divided by a temperature T, a student learns the teacher's \
            probabilities at the same T, and answers at T = 1. So its logits are about T times as far \
            apart as usual, the softmax is 0 or 1 in single precision, and the gradient of cross-entropy \
            is exactly zero: the paper saw the success of attacks drop from 95 % to 0.5 %. Nothing about \
            the boundary has changed. Its stance 'gradient' is the paper's evaluation, softmax first, in \
            single precision; 'adaptive' takes the loss on the logits, as Carlini and Wagner did: 100 % \
            success, at perturbations that are hardly larger. The model of a masked gradient.",
    paper: "Papernot et al.: Distillation as a Defense to Adversarial Perturbations, IEEE S&P 2016; broken by \
            Carlini, Wagner: Towards Evaluating the Robustness of Neural Networks, IEEE S&P 2017",
    ..PGD_AT
};

/// Label smoothing.
pub const LABEL_SMOOTHING: DefenceSpec = DefenceSpec {
    id: "label-smoothing",
    name: "label smoothing",
    aliases: &[],
    summary: "a network answers that has learned never to be quite sure",
    about: "The true class is given a little less than probability 1 in training, the others share the rest, \
            so the logits stay close together and the loss is flatter. Single-step attacks get weaker, \
            and so do attacks of few steps; with more steps next to nothing remains (the best attack of \
            a public course of such defences breaks it on 98 % of pictures at L∞ 4/255). It is free, and \
            it helps calibration; it is no defence.",
    paper: "Szegedy et al.: Rethinking the Inception Architecture, CVPR 2016; as a defence: Warde-Farley, \
            Goodfellow: Adversarial Perturbations of Deep Neural Networks, 2016",
    ..PGD_AT
};

/// Training with Gaussian noise.
pub const GAUSSIAN: DefenceSpec = DefenceSpec {
    id: "gaussian",
    name: "Gaussian training",
    aliases: &["gaussian-augmentation"],
    summary: "a network trained on pictures with Gaussian noise answers",
    about: "Noise of standard deviation σ is added to every picture while the network learns. It moves the \
            boundary away from the pictures in random directions, and a little in the worst one: attacks \
            need somewhat larger perturbations, and no more. Its real use is as the network behind \
            randomised smoothing, which is lost without it. The price: some clean accuracy, the more the \
            larger σ.",
    paper: "Zantedeschi, Nicolae, Rawat: Efficient Defenses Against Adversarial Attacks, AISec 2017; Cohen, \
            Rosenfeld, Kolter, ICML 2019",
    ..PGD_AT
};
