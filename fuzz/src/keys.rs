//! What a user does, and what a worker answers, on the dashboard's state without a terminal.

#[path = "../../tests/screen/fake.rs"]
#[allow(dead_code)]
mod fake;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use epsiloscope::data::Dataset;
use epsiloscope::engine::{JobId, ModelInfo, Request, RunJob, Update};
use epsiloscope::error::Error;
use epsiloscope::experiment::compare::{CompareEvent, UNDEFENDED};
use epsiloscope::model::{Card, find_card};
use epsiloscope::terminal::parse::{InputToken, Parser};
use epsiloscope::tui::app::App;
use epsiloscope::tui::session::Effect;
use epsiloscope::tui::theme::ThemeKind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// So many events of one input are done; more show nothing new and only take time.
const MOST: usize = 400;
/// So many frames of one input are drawn.
const FRAMES: usize = 12;

/// What a terminal sends, in pieces of which the first byte says how long they are: read to its end,
/// and a Ctrl-C that is pressed after it arrives.
pub fn terminal(data: &[u8]) -> bool {
    let Some((length, bytes)) = data.split_first() else { return false };
    let (mut parser, mut tokens) = (Parser::default(), Vec::new());
    for (number, piece) in bytes.chunks(usize::from(*length).max(1)).enumerate() {
        parser.feed(piece, &mut tokens);
        if number % 7 == 6 && parser.patience().is_some() {
            parser.flush(&mut tokens);
            assert_eq!(parser.patience(), None);
        }
    }
    parser.feed(b"\x03", &mut tokens);
    parser.flush(&mut tokens);
    assert_eq!(parser.patience(), None);
    let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(tokens.last(), Some(&InputToken::Event(Event::Key(key))));
    true
}

/// Bytes as what happens on the dashboard. Text is typed (line break, tab, escape, backspace and
/// delete as their keys, other control characters with Ctrl); from 0x80 on: other keys, then mouse,
/// resize, pasted text, answers of the worker, time, frames, keys with Alt. See [`Stage::act`].
pub fn keys(data: &[u8]) -> bool {
    let mut stage = Stage::new();
    let mut bytes = data.iter().copied();
    for _ in 0..MOST {
        let Some(byte) = bytes.next() else { break };
        stage.act(byte, &mut bytes);
        stage.check();
        if stage.app.session.quit {
            break;
        }
    }
    stage.draw();
    true
}

/// The dashboard and its made-up worker.
struct Stage {
    app: App,
    /// The number of the last request.
    last: JobId,
    /// What the worker has been asked and has not answered.
    asked: Vec<(JobId, Request)>,
    frames: usize,
}

impl Stage {
    fn new() -> Self {
        static DATA: OnceLock<Arc<Dataset>> = OnceLock::new();
        let (app, effects) = fake::begin(ThemeKind::Dark);
        let mut stage = Self { app, last: 0, asked: Vec::new(), frames: 0 };
        stage.app.session.size = (120, 36);
        stage.perform(effects);
        stage.asked.clear();
        let data = DATA.get_or_init(fake::dataset).clone();
        for update in [
            Update::Device { device: fake::device(), note: None },
            Update::Data(data),
            Update::Model(Arc::new(fake::model())),
        ] {
            let effects = stage.app.on_update(update);
            stage.perform(effects);
        }
        stage
    }

    fn act(&mut self, byte: u8, rest: &mut impl Iterator<Item = u8>) {
        let mut next = || rest.next().unwrap_or(0);
        match byte {
            b'\n' => self.press(KeyCode::Enter, KeyModifiers::NONE),
            b'\t' => self.press(KeyCode::Tab, KeyModifiers::NONE),
            0x1b => self.press(KeyCode::Esc, KeyModifiers::NONE),
            0x08 => self.press(KeyCode::Backspace, KeyModifiers::NONE),
            0x7f => self.press(KeyCode::Delete, KeyModifiers::NONE),
            0..0x20 => self.press(KeyCode::Char(char::from(byte + 0x60)), KeyModifiers::CONTROL),
            0x20..0x80 => self.press(KeyCode::Char(char::from(byte)), KeyModifiers::NONE),
            0x80..0x90 => {
                use KeyCode::*;
                const CODES: [KeyCode; 16] = [
                    Up,
                    Down,
                    Left,
                    Right,
                    Home,
                    End,
                    PageUp,
                    PageDown,
                    BackTab,
                    Insert,
                    F(1),
                    F(12),
                    Char('ε'),
                    Char('\u{301}'),
                    Char('漢'),
                    Null,
                ];
                self.press(CODES[usize::from(byte - 0x80)], KeyModifiers::NONE);
            }
            0x90..0xa0 => {
                use MouseEventKind::*;
                let button = MouseButton::Left;
                let kind = [Down(button), Drag(button), Up(button), ScrollUp, ScrollDown, Moved]
                    [usize::from(byte % 6)];
                let (column, row) = (u16::from(next()), u16::from(next()));
                let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
                let effects = self.app.mouse(event).unwrap_or_default();
                self.perform(effects);
            }
            0xa0..0xa8 => {
                // Up to 300 columns and 100 rows.
                let (columns, rows) = (u32::from(next()), u32::from(next()));
                let size = (columns * 300 / 255, rows * 100 / 255);
                self.app.session.size = (size.0 as u16, size.1 as u16);
                self.draw();
            }
            0xa8..0xb0 => {
                let length = usize::from(next());
                let text: Vec<u8> = rest.take(length).collect();
                self.app.paste(&String::from_utf8_lossy(&text));
            }
            0xb0..0xc0 => self.answer(byte),
            0xc0..0xd0 => {
                let now = self.app.session.now + Duration::from_millis(u64::from(next()) * 20);
                self.app.session.tick(now);
            }
            0xd0..0xe0 => self.draw(),
            0xe0..=0xff => {
                let code = KeyCode::Char(char::from(next() & 0x7f));
                let modifiers = match byte {
                    0xe0..0xf0 => KeyModifiers::ALT,
                    _ => KeyModifiers::SHIFT,
                };
                self.press(code, modifiers);
            }
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let effects = self.app.key(KeyEvent::new(code, modifiers));
        self.perform(effects);
    }

    /// As the loop does it; nothing is written, and nothing is shown.
    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Request(request) => {
                    self.last += 1;
                    self.app.on_sent(self.last, &request);
                    self.asked.push((self.last, request));
                }
                Effect::Zoom(pictures) => assert!(!pictures.is_empty()),
                Effect::Write { path, text, .. } => {
                    assert!(!path.as_os_str().is_empty() && !text.is_empty());
                }
                Effect::Suspend | Effect::HintSeen | Effect::SaveHybrid(_) => {}
            }
        }
    }

    /// The worker answers the newest or the oldest question, wholly, in part, or not at all.
    fn answer(&mut self, byte: u8) {
        let at = if byte & 1 == 0 { 0 } else { self.asked.len().saturating_sub(1) };
        if at >= self.asked.len() {
            return;
        }
        let (id, request) = self.asked.remove(at);
        let mut updates = match byte & 0b1100 {
            0 => vec![Update::Cancelled(id)],
            4 => vec![Update::Failed(id, Error::failure("made up", "here", "go on"))],
            _ => answers(id, &request),
        };
        if byte & 0b1110 == 8 {
            updates.truncate(updates.len() / 2);
        }
        for update in updates {
            let effects = self.app.on_update(update);
            self.perform(effects);
        }
    }

    fn draw(&mut self) {
        self.frames += 1;
        if self.frames > FRAMES {
            return;
        }
        let area = Rect::new(0, 0, self.app.session.size.0, self.app.session.size.1);
        self.app.draw(area, &mut Buffer::empty(area));
    }

    /// What holds whatever happens.
    fn check(&self) {
        let app = &self.app;
        assert!(
            app.session.plan.epsilon.is_finite() && app.session.plan.epsilon >= 0.0,
            "{}",
            app.session.plan.epsilon
        );
        assert!(
            app.session.sample < app.session.len(),
            "sample {} of {}",
            app.session.sample,
            app.session.len()
        );
        assert!(app.session.listed.iter().all(|index| *index < app.session.len()));
        assert!(app.session.plan.attack.norms.contains(&app.session.plan.norm));
        assert!(app.stack().len() <= 8, "{} windows in {:?}", app.stack().len(), app.stack());
        for message in &app.session.messages {
            assert_eq!(message.text.lines().count(), 1, "{:?}", message.text);
        }
    }
}

/// A model without its weights.
fn info(card: Card) -> ModelInfo {
    let labels = match card.labels.is_empty() {
        true => (0..card.num_classes).map(|class| class.to_string()).collect(),
        false => card.labels.clone(),
    };
    ModelInfo { id: card.name.clone(), card, labels: Arc::new(labels), parameters: 1000 }
}

/// What a worker would say.
fn answers(id: JobId, request: &Request) -> Vec<Update> {
    match request {
        Request::Run(job) => fake::answers(id, job),
        // Photographs are too large to make results up for.
        Request::Data(name) => vec![match Dataset::load(name).ok().filter(|d| d.id != "photos") {
            Some(dataset) => Update::Data(dataset),
            None => Update::Failed(id, Error::failure("no such data set", name, "take another")),
        }],
        Request::Model(name) => vec![match find_card(name) {
            Ok((card, _)) => Update::Model(Arc::new(info(card))),
            Err(error) => Update::Failed(id, error),
        }],
        Request::Race(job) => {
            let mut out = vec![Update::Started(id)];
            for (lane, plan) in job.plans.iter().enumerate() {
                let run = RunJob {
                    sample: job.sample.clone(),
                    plan: plan.clone(),
                    surrogate: job.surrogate.clone(),
                    defences: Vec::new(),
                    draws: 1,
                };
                out.extend(fake::answers(id, &run).into_iter().filter_map(|update| match update {
                    Update::Clean(_, clean) if lane == 0 => Some(Update::Clean(id, clean)),
                    Update::Step(_, point, n) => Some(Update::LaneStep(id, lane, point, n)),
                    Update::Finished(_, report) => {
                        Some(Update::LaneFinished(id, lane, Ok(report), Duration::from_millis(40)))
                    }
                    _ => None,
                }));
            }
            out.push(Update::Done(id));
            out
        }
        Request::Compare(job) => {
            let stacks = job.stacks.iter().map(epsiloscope::defence::DefenceStack::text);
            let names: Vec<String> =
                std::iter::once(UNDEFENDED.to_string()).chain(stacks).collect();
            let n = job.many.as_ref().map_or(0, |(_, n)| *n);
            let half: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
            let mut out = vec![Update::Started(id)];
            for name in names {
                let right = CompareEvent::Right(name.clone(), vec![true; n], vec![0.2; 3]);
                out.push(Update::CompareFinding(id, right));
                for (plan, stance) in
                    job.plans.iter().flat_map(|plan| job.stances.iter().map(move |s| (plan, *s)))
                {
                    let held = CompareEvent::Held(name.clone(), plan.clone(), stance, half.clone());
                    out.push(Update::CompareFinding(id, held));
                }
            }
            out.push(Update::Done(id));
            out
        }
        Request::FindMistake(_) => {
            vec![Update::MistakeSearch(id, 10), Update::MistakeFound(id, Some(3))]
        }
        Request::MinimumEpsilon(_) => {
            vec![
                Update::Started(id),
                Update::EpsilonTried(id, 0.1, Some(true)),
                Update::Cancelled(id),
            ]
        }
        Request::Lesson(_) => {
            vec![Update::Started(id), Update::LessonProgress(id, 0, 0.5), Update::Done(id)]
        }
        Request::Transfer(_) | Request::DefenceMetrics(_) | Request::Checks(_) => {
            vec![Update::Started(id), Update::Progress(id, 1, 2, None), Update::Done(id)]
        }
        Request::Cancel => Vec::new(),
    }
}
