//! An estimate of the time that attacks still take: from what their stages have taken so far, and
//! for stages that have not begun, from the passes they make through the network times the time of
//! a pass.

use crate::experiment::passes::Passes;

/// The time of one stage of an attack, or of the whole attack where it has no stages.
#[derive(Clone, Debug, Default)]
pub struct StageTime {
    /// The passes of an image that stays to the end; none where it is unknown.
    pub passes: Option<Passes>,
    seconds: f64,
    /// Images, each counted by the share of the part that it has been through.
    done: f64,
    /// Images that began it, in batches that are over.
    entered: f64,
    /// How many of those it did not break.
    survived: f64,
    /// What they have been through: [`Self::done`] when the last of those batches was over.
    through: f64,
}

/// How far a batch of images is in a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageProgress {
    /// The number of the part.
    pub part: usize,
    /// How much of it is done, 0..1.
    pub share: f64,
    /// Images that are still worked on.
    pub open: usize,
    /// Images of these that no attack has broken so far.
    pub standing: usize,
}

/// An estimate of the time left for several attacks, one after the other, each on batches of images
/// and each part on what the part before it has left.
///
/// The caller reports how far the work is and after how many seconds; it reads no clock itself.
#[derive(Clone, Debug)]
pub struct TimeEstimate {
    attacks: Vec<Vec<StageTime>>,
    /// Whether an attack is tried on images that one before it has broken.
    every: bool,
    /// Images to attack.
    images: f64,
    /// Images and seconds of forward passes that were timed by themselves.
    forward: (f64, f64),
    /// What an image takes after the attack on its batch, in seconds.
    after: f64,
    /// The attack at work.
    attack: usize,
    /// Images of it in batches to come, and those of finished batches that no attack has broken.
    waiting: f64,
    stood: f64,
    /// The batch at work: where it is, and how many images began its part.
    reach: StageProgress,
    entered: f64,
    /// All of its images.
    size: f64,
    /// When the last report came, in seconds since the work began.
    seconds: f64,
}

impl TimeEstimate {
    /// Of these attacks on so many images. An attack's parts are those of `passes::parts`.
    pub fn new(attacks: Vec<Vec<Option<Passes>>>, images: usize, every: bool) -> Self {
        let part = |passes: Option<Passes>| StageTime { passes, ..StageTime::default() };
        Self {
            attacks: attacks.into_iter().map(|all| all.into_iter().map(part).collect()).collect(),
            every,
            images: images as f64,
            forward: (0.0, 0.0),
            after: 0.0,
            attack: 0,
            waiting: images as f64,
            stood: 0.0,
            reach: StageProgress::default(),
            entered: 0.0,
            size: 0.0,
            seconds: 0.0,
        }
    }

    /// The number of the attack at work.
    pub fn attack(&self) -> usize {
        self.attack
    }

    /// Forward passes of so many images took so many seconds.
    pub fn timed(&mut self, images: usize, seconds: f64) {
        self.forward = (self.forward.0 + images as f64, self.forward.1 + seconds);
    }

    /// After the attack on its batch, an image takes so many seconds more.
    pub fn followed_by(&mut self, seconds: f64) {
        self.after = seconds;
    }

    /// Whether the price of a forward pass is worth timing by itself: the work is long, and a part
    /// makes other passes than those before it.
    pub fn asks_for_forward(&self) -> bool {
        let known: Option<Vec<Passes>> = self.attacks.iter().flatten().map(|p| p.passes).collect();
        known.is_some_and(|all| {
            let total: f64 = all.iter().map(|passes| passes.forward + passes.backward).sum();
            total > 200.0 && all.iter().any(|passes| passes.forward != all[0].forward)
        })
    }

    /// An attack begins on so many images, `stood` others of which have withstood it already.
    pub fn begin(&mut self, attack: usize, images: usize, stood: usize, seconds: f64) {
        self.charge(seconds);
        self.attack = attack;
        (self.waiting, self.stood) = (images as f64, stood as f64);
        (self.reach, self.entered, self.size) = (StageProgress::default(), 0.0, 0.0);
    }

    /// Reports that the next batch of the attack begins.
    pub fn batch(&mut self, images: usize, seconds: f64) {
        self.charge(seconds);
        self.waiting = (self.waiting - images as f64).max(0.0);
        self.reach = StageProgress { part: 0, share: 0.0, open: images, standing: images };
        (self.entered, self.size) = (images as f64, images as f64);
    }

    /// Reports how far the batch is.
    pub fn step(&mut self, reach: StageProgress, seconds: f64) {
        if reach.part != self.reach.part {
            self.leave(reach.open);
            self.reach = StageProgress { share: 0.0, ..reach };
            self.entered = reach.open as f64;
        }
        let more = (reach.share - self.reach.share).max(0.0) * reach.open as f64;
        let share = reach.share.max(self.reach.share);
        self.reach = StageProgress { share, ..reach };
        self.charge(seconds);
        if let Some(part) = self.now() {
            part.done += more;
        }
    }

    /// Reports that the batch is over and how many of its images are unbroken.
    pub fn end(&mut self, standing: usize, seconds: f64) {
        self.charge(seconds);
        self.leave(standing);
        self.stood += standing as f64;
        (self.reach, self.entered, self.size) = (StageProgress::default(), 0.0, 0.0);
    }

    /// The seconds that are left; none where it is unknown.
    pub fn left(&self) -> Option<f64> {
        let (mut sum, mut stand) = (self.after * (self.size + self.waiting), self.stood);
        if self.entered > 0.0 {
            let StageProgress { part, share, open, standing } = self.reach;
            sum += self.cost(self.attack, part, open as f64 * (1.0 - share))?;
            let mut images = match self.history(self.attack, part) {
                Some(survival) => (self.entered * survival).min(standing as f64),
                None => standing as f64,
            };
            for part in part + 1..self.parts(self.attack) {
                sum += self.cost(self.attack, part, images * self.stay(self.attack, part))?;
                images *= self.survival(self.attack, part);
            }
            stand += images;
        }
        let mut images = self.waiting;
        for attack in self.attack..self.attacks.len() {
            for part in 0..self.parts(attack) {
                sum += self.cost(attack, part, images * self.stay(attack, part))?;
                images *= self.survival(attack, part);
            }
            stand = if attack == self.attack { stand + images } else { images };
            images = if self.every { self.images } else { stand };
        }
        Some(sum)
    }

    fn parts(&self, attack: usize) -> usize {
        self.attacks.get(attack).map_or(0, Vec::len)
    }

    fn now(&mut self) -> Option<&mut StageTime> {
        self.attacks.get_mut(self.attack)?.get_mut(self.reach.part)
    }

    /// The time since the last word belongs to the part at work.
    fn charge(&mut self, seconds: f64) {
        let more = (seconds - self.seconds).max(0.0);
        self.seconds = seconds;
        if self.entered > 0.0
            && let Some(part) = self.now()
        {
            part.seconds += more;
        }
    }

    /// The part at work is over for this batch, and so many images are left.
    fn leave(&mut self, standing: usize) {
        let entered = self.entered;
        if let Some(part) = self.now() {
            part.entered += entered;
            part.survived += (standing as f64).min(entered);
            part.through = part.done;
        }
    }

    /// The share of images that a part has left standing in finished batches.
    fn history(&self, attack: usize, part: usize) -> Option<f64> {
        let part = self.attacks.get(attack)?.get(part)?;
        (part.entered > 0.0).then(|| part.survived / part.entered)
    }

    /// The share of images that a part leaves standing: as it was, as it looks in the batch at
    /// work, or all.
    fn survival(&self, attack: usize, part: usize) -> f64 {
        let here = (attack, part) == (self.attack, self.reach.part) && self.entered > 0.0;
        let now = here.then(|| self.reach.standing as f64 / self.entered);
        self.history(attack, part).or(now).unwrap_or(1.0)
    }

    /// The share of a part that an image goes through on average before it is broken: as it was in
    /// finished batches, else all.
    fn stay(&self, attack: usize, part: usize) -> f64 {
        let part = self.attacks.get(attack).and_then(|parts| parts.get(part));
        let known = part.filter(|part| part.entered > 0.0);
        known.map_or(1.0, |part| part.through / part.entered)
    }

    /// The seconds of so many images in a part, each through all of it; none where no price is
    /// known.
    fn cost(&self, attack: usize, part: usize, images: f64) -> Option<f64> {
        if images <= 0.0 {
            return Some(0.0);
        }
        let part = self.attacks.get(attack)?.get(part)?;
        let foreseen = part.passes.and_then(|passes| self.foreseen(passes));
        let own = (part.done > 0.0).then(|| part.seconds / part.done);
        // A measure of a few hundredths of one batch says more than what was foreseen.
        let weight = part.done / (part.done + 0.02 * (part.entered + self.entered).max(1.0));
        let price = match (own, foreseen) {
            (Some(own), Some(foreseen)) => weight * own + (1.0 - weight) * foreseen,
            (one, other) => one.or(other)?,
        };
        Some(images * price)
    }

    /// The seconds that an image's passes should take, at the prices measured so far.
    fn foreseen(&self, passes: Passes) -> Option<f64> {
        let measured = || {
            let parts = self.attacks.iter().flatten().filter(|part| part.done > 0.0);
            parts.filter_map(|part| Some((part.passes?, part.done, part.seconds)))
        };
        // Forward passes alone: those timed by themselves, and parts that make no others.
        let alone = measured().filter(|(passes, ..)| passes.backward == 0.0);
        let alone = alone.fold(self.forward, |sum, (passes, done, seconds)| {
            (sum.0 + passes.forward * done, sum.1 + seconds)
        });
        let both = measured().filter(|(passes, ..)| passes.backward > 0.0);
        let both = both.fold([0.0; 3], |sum, (passes, done, seconds)| {
            [sum[0] + passes.forward * done, sum[1] + passes.backward * done, sum[2] + seconds]
        });
        // A backward pass takes about twice as long as a forward one, until it is measured.
        let forward = match (alone.0 > 0.0, both[2] > 0.0) {
            (true, _) => alone.1 / alone.0,
            (false, true) => both[2] / (both[0] + 2.0 * both[1]),
            (false, false) => return None,
        };
        let backward = match both[1] > 0.0 {
            true => ((both[2] - forward * both[0]) / both[1]).max(0.25 * forward),
            false => 2.0 * forward,
        };
        Some(passes.forward * forward + passes.backward * backward)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stage really takes for an image that goes through all of it, in seconds; and of the
    /// images that begin it, the share that it breaks, evenly over its course.
    struct Real {
        passes: Option<Passes>,
        seconds: f64,
        breaks: f64,
    }

    fn real(forward: f64, backward: f64, [f, b, more]: [f64; 3], breaks: f64) -> Real {
        let seconds = (forward * f + backward * b) * more;
        Real { passes: Some(Passes { forward, backward }), seconds, breaks }
    }

    /// Plays a run of batches through the stages; answers with the time and the estimate at every
    /// step, and how long it took in all.
    fn play(
        stages: &[Real],
        batches: &[usize],
        timed: Option<f64>,
    ) -> (Vec<(f64, Option<f64>)>, f64) {
        let all = batches.iter().sum();
        let passes = stages.iter().map(|stage| stage.passes).collect();
        let mut time = TimeEstimate::new(vec![passes], all, false);
        timed.into_iter().for_each(|forward| time.timed(100, 100.0 * forward));
        let (mut now, mut told) = (0.0, Vec::new());
        time.begin(0, all, 0, now);
        for batch in batches {
            let mut standing = *batch as f64;
            time.batch(*batch, now);
            for (part, stage) in stages.iter().enumerate() {
                let entered = standing;
                const STEPS: usize = 50;
                for step in 1..=STEPS {
                    let share = step as f64 / STEPS as f64;
                    now += standing * stage.seconds / STEPS as f64;
                    let open = standing.round() as usize;
                    standing = entered * (1.0 - stage.breaks * share);
                    if open > 0 {
                        let standing = (standing.round() as usize).min(open);
                        time.step(StageProgress { part, share, open, standing }, now);
                        told.push((now, time.left()));
                    }
                }
            }
            time.end(standing.round() as usize, now);
        }
        (told, now)
    }

    /// The largest error after so much of the time, as a share of the whole time.
    fn worst(told: &[(f64, Option<f64>)], end: f64, after: f64) -> f64 {
        let late = told.iter().filter(|(now, _)| *now > after * end);
        late.map(|(now, left)| (now + left.unwrap() - end).abs() / end).fold(0.0, f64::max)
    }

    /// AutoAttack's stages: passes as published; a backward pass costs twice a forward one, and FAB
    /// and Square work beside the network.
    fn autoattack(breaks: [f64; 4]) -> Vec<Real> {
        let (f, b) = (1e-4, 2e-4);
        vec![
            real(101.0, 100.0, [f, b, 1.0], breaks[0]),
            real(900.0, 900.0, [f, b, 1.0], breaks[1]),
            real(1800.0, 900.0, [f, b, 1.25], breaks[2]),
            real(5000.0, 0.0, [f, b, 1.15], breaks[3]),
        ]
    }

    #[test]
    fn stages_of_different_price_are_foreseen_from_their_passes() {
        for breaks in [[0.1, 0.02, 0.0, 0.01], [0.4, 0.1, 0.05, 0.02], [0.0; 4]] {
            let (told, end) = play(&autoattack(breaks), &[100], Some(1e-4));
            let error = worst(&told, end, 0.1);
            assert!(error < 0.2, "{breaks:?}: {error:.2} of {end:.0} s");
            // The first word already knows what is to come.
            let (now, left) = told[0];
            assert!((now + left.unwrap()) / end > 0.5 && (now + left.unwrap()) / end < 2.0);
        }
    }

    #[test]
    fn later_batches_take_what_the_first_ones_took() {
        // Nearly all break in the first stage: the later ones are cheap, in every batch.
        let stages = autoattack([0.9, 0.5, 0.2, 0.1]);
        let (told, end) = play(&stages, &[100; 10], Some(1e-4));
        let error = worst(&told, end, 0.11);
        assert!(error < 0.2, "{error:.2}");
    }

    #[test]
    fn images_that_leave_take_no_more_time() {
        // Nothing stands after the first stage.
        let (told, end) = play(&autoattack([1.0, 0.0, 0.0, 0.0]), &[50], Some(1e-4));
        let (now, left) = *told.last().unwrap();
        assert!(left.unwrap() < 0.05 * end && (now - end).abs() < 1e-9, "{left:?} after {end}");
        let mut time = TimeEstimate::new(vec![vec![None], vec![None]], 10, false);
        time.begin(0, 10, 0, 0.0);
        time.batch(10, 0.0);
        time.step(StageProgress { part: 0, share: 1.0, open: 10, standing: 0 }, 4.0);
        // Whatever the second attack costs, it has nothing to do.
        assert_eq!(time.left(), Some(0.0));
    }

    #[test]
    fn what_nobody_knows_is_no_number() {
        let unknown = Real { passes: None, seconds: 0.01, breaks: 0.0 };
        let known = real(40.0, 40.0, [1e-4, 2e-4, 1.0], 0.0);
        let (told, end) = play(&[known, unknown], &[20, 20], None);
        let first = told.iter().position(|(_, left)| left.is_some()).unwrap();
        // Nothing is said before the unknown stage has begun, and what is said then is right.
        assert_eq!(first, 50, "{:?}", &told[..3]);
        assert!(worst(&told[first..], end, 0.0) < 0.05);
        let fresh = TimeEstimate::new(vec![vec![None]], 10, false);
        assert_eq!(fresh.left(), None);
        assert_eq!(TimeEstimate::new(vec![vec![None]], 0, false).left(), Some(0.0));
    }

    #[test]
    fn an_attack_after_another_is_counted_by_what_stands() {
        let passes = Some(Passes { forward: 10.0, backward: 10.0 });
        let expected = |every| {
            let mut time = TimeEstimate::new(vec![vec![passes], vec![passes]], 100, every);
            time.begin(0, 100, 0, 0.0);
            time.batch(100, 0.0);
            time.step(StageProgress { part: 0, share: 1.0, open: 100, standing: 25 }, 8.0);
            time.left().unwrap()
        };
        assert!((expected(false) - 2.0).abs() < 1e-9 && (expected(true) - 8.0).abs() < 1e-9);
    }
}
