//! Hints about input that is valid but probably not intended, such as an ε of 0.5 in L∞. One line
//! each, none of them an error.

use crate::attack::{AttackConfig, Norm};
use crate::data::{Dataset, DatasetSpec, Sample};
use crate::experiment::distance::distance_text;
use crate::model::Card;

/// How bright the edges of dark digits on white are at least, on average.
const BRIGHT: f64 = 0.6;

/// An L∞ perturbation of this size turns every image into grey.
const GREY: f64 = 0.5;

/// Steps of 8 bits a value, on average, below which an L2 perturbation is rather a number of L∞.
const UNSEEN: f64 = 0.15;

/// So many labels have to be known before their numbering is judged.
const LABELS: usize = 20;

/// Whether the images of the model's data set are bright on black.
fn on_black(card: &Card) -> bool {
    DatasetSpec::find(&card.data).is_some_and(|row| row.black_background)
}

/// About an ε that makes no sense in its norm, for images of this many values.
pub fn of_epsilon(plan: &AttackConfig, values: usize) -> Option<String> {
    let epsilon = plan.threshold(values)?;
    let size = distance_text(plan.norm, epsilon);
    match plan.norm {
        Norm::Linf if (GREY..=1.0).contains(&epsilon) => Some(format!(
            "L∞ ε = {size} lets every picture become plain grey: no network can hold against it"
        )),
        Norm::L2 if epsilon > 0.0 => {
            let steps = epsilon * 255.0 / (values as f64).sqrt();
            (steps < UNSEEN).then(|| {
                format!(
                    "L2 ε = {size} is {steps:.2} steps of 8 bits a value on average; is it meant for L∞? \
                     (--norm linf)"
                )
            })
        }
        _ => None,
    }
}

/// About a data set that the model was not made for.
pub fn of_dataset(card: &Card, dataset: &Dataset) -> Option<String> {
    let sample = (!dataset.is_empty()).then(|| dataset.sample(0))?;
    let [theirs, ours] =
        [sample.image.shape(), card.input.shape].map(|[c, h, w]| format!("{c}×{h}×{w}"));
    let (known, wanted) = (dataset.labels.len(), card.num_classes);
    let made_for = match card.data.as_str() {
        "" => String::new(),
        data => format!(" for '{data}'"),
    };
    let fits = match made_for.is_empty() {
        true => theirs == ours && known == wanted,
        false => card.data == dataset.id,
    };
    (!fits).then(|| {
        format!(
            "'{}' (pictures such as {theirs}, {known} classes) does not fit '{}', which is made{made_for} \
             ({ours}, {wanted} classes): its classes are not the truth's",
            dataset.id, card.name
        )
    })
}

/// About clean images for which `who` gives no finite number, `lost` of `n`.
pub fn of_logits(who: &str, lost: usize, n: usize) -> Option<String> {
    (lost > 0).then(|| {
        format!(
            "'{who}': of {lost} of {n} clean pictures a logit is infinite or not a number; they count \
             as wrong"
        )
    })
}

/// About images as the model sees them that are dark on white where it knows bright on black.
pub fn of_background<'a>(
    card: &Card,
    pictures: impl IntoIterator<Item = &'a [f32]>,
) -> Option<String> {
    let [_, h, w] = card.input.shape;
    if !on_black(card) {
        return None;
    }
    let edge = |at: usize| {
        let (y, x) = (at / w % h, at % w);
        y == 0 || x == 0 || y == h - 1 || x == w - 1
    };
    let (mut sum, mut count) = (0.0, 0);
    for picture in pictures {
        for (_, value) in picture.iter().enumerate().filter(|(at, _)| edge(*at)) {
            sum += f64::from(*value);
            count += 1;
        }
    }
    (count > 0 && sum / f64::from(count) > BRIGHT).then(|| {
        let (name, data) = (&card.name, &card.data);
        format!(
            "the background is bright, and '{name}' knows '{data}' on black: invert the pictures"
        )
    })
}

/// About a user's own image: what the model does not see of it, and what it hardly knows. Nothing
/// about an image of a data set.
pub fn of_picture(card: &Card, sample: &Sample) -> Vec<String> {
    if !sample.is_file() {
        return Vec::new();
    }
    let (input, picture) = (&card.input, &sample.image);
    let known = on_black(card);
    let background = known.then(|| of_background(card, [input.fit(picture).pixels()])).flatten();
    picture.changes(input.shape, input.resize).into_iter().chain(background).collect()
}

/// About labels that are counted from another number than the model's classes: the accuracy of the
/// labels one higher or one lower tells.
pub fn of_labels(predicted: &[usize], labels: &[usize]) -> Option<String> {
    let right = |shift: isize| {
        let pairs = predicted.iter().zip(labels);
        pairs.filter(|(a, b)| b.checked_add_signed(shift) == Some(**a)).count()
    };
    let n = labels.len();
    let shifted = [("higher", right(1)), ("lower", right(-1))];
    let (words, best) = shifted.into_iter().max_by_key(|(_, hits)| *hits)?;
    let here = right(0);
    (n >= LABELS && 2 * best > n && best > 2 * here).then(|| {
        let share = |hits: usize| format!("{:.1} %", hits as f64 * 100.0 / n as f64);
        format!(
            "the labels look off by one: {} are right as they stand, {} if each were one {words}",
            share(here),
            share(best)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack;
    use crate::data::Image;
    use std::path::Path;

    fn card(data: &str) -> Card {
        let text = format!(
            "name='m'\ndata='{data}'\nnum_classes=10\n[input]\nshape=[1,28,28]\n[[layers]]\nop='flatten'"
        );
        Card::parse(&text, Path::new("card.toml")).unwrap()
    }

    #[test]
    fn an_epsilon_beyond_sense_is_told_and_no_other() {
        let photo = 3 * 224 * 224;
        let told = |id: &str, norm: Norm, epsilon: f64, values: usize| {
            let mut plan = AttackConfig::new(attack::find(id).unwrap(), epsilon);
            plan.norm = norm;
            of_epsilon(&plan, values)
        };
        assert!(told("pgd", Norm::Linf, 0.5, photo).unwrap().contains("grey"));
        assert!(told("pgd", Norm::L2, 8.0 / 255.0, photo).unwrap().contains("--norm linf"));
        assert!(told("pgd", Norm::L2, 8.0 / 255.0, 3072).unwrap().contains("--norm linf"));
        assert_eq!(told("deepfool", Norm::L2, 1e9, photo), None);
        for row in crate::data::DATASETS {
            let values = if row.id == "photos" { photo } else { 784 };
            for norm in Norm::ALL {
                assert_eq!(told("pgd", norm, attack::default_epsilon(row.id, norm), values), None);
            }
        }
    }

    #[test]
    fn data_that_does_not_fit_is_told() {
        let photos = Dataset::load("photos").unwrap();
        let told = of_dataset(&card("mnist"), &photos).unwrap();
        assert!(told.contains("1000 classes") && told.contains("1×28×28"), "{told}");
        assert!(of_dataset(&card(""), &photos).is_some());
        let mnist = Dataset::load("mnist").unwrap();
        assert!(of_dataset(&card("fashion"), &mnist).is_some());
        for fits in ["mnist", ""] {
            assert_eq!(of_dataset(&card(fits), &mnist), None);
        }
    }

    #[test]
    fn digits_on_white_are_told() {
        let digit = Dataset::load("mnist").unwrap().sample(0).image;
        let inverted: Vec<f32> = digit.pixels().iter().map(|v| 1.0 - v).collect();
        let inverted = Image::new(digit.shape(), inverted);
        let sample = Dataset::load("mnist").unwrap().sample(0);
        let told = |data: &str, picture: &Image| {
            let (dataset, picture) = ("file".into(), picture.clone());
            of_picture(&card(data), &Sample { dataset, image: picture, ..sample.clone() })
        };
        assert_eq!(told("mnist", &digit), Vec::<String>::new());
        assert!(told("mnist", &inverted)[0].contains("invert"));
        assert_eq!(told("photos", &inverted), Vec::<String>::new());
        assert_eq!(of_picture(&card("photos"), &sample), Vec::<String>::new());
    }

    #[test]
    fn labels_off_by_one_are_told() {
        let truth: Vec<usize> = (0..100).map(|i| i * 7 % 10).collect();
        let one_based: Vec<usize> = truth.iter().map(|label| label + 1).collect();
        assert_eq!(of_labels(&truth, &truth), None);
        assert!(of_labels(&truth, &one_based).unwrap().contains("one lower"));
        assert!(of_labels(&one_based, &truth).unwrap().contains("one higher"));
        assert_eq!(of_labels(&[3; 100], &truth), None);
        assert_eq!(of_labels(&truth[..5], &one_based[..5]), None);
    }
}
