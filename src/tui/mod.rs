//! The dashboard.
//!
//! A terminal event becomes, by the [`keymap`] of the screen on top, an [`action::Action`]; the screens
//! change the [`session`] and queue [`session::Effect`]s; the event loop performs them, asking the
//! engine; the engine's updates go to the session and the screens; then one frame is drawn.
//!
//! Every screen and window keeps to one contract, [`screen::Screen`], and stands on one stack, which
//! [`app::App`] keeps. A new screen is a folder in [`screens`] and its row in the list there.

pub mod action;
pub mod app;
pub mod frame;
mod input;
mod key_table;
pub mod keymap;
pub mod screen;
pub mod screens;
pub mod session;
pub mod theme;
pub mod widgets;
pub mod windows;
pub mod wording;

use crate::dashboard::{KeyRow, StartOptions};
use crate::data::{Image, write_atomically};
use crate::defence::{DefenceStack, saved};
use crate::engine::{Engine, Request, Update};
use crate::error::{Error, Result};
use crate::show::{self, Graphics};
use crate::terminal::ask::{self, GraphicsSupport};
use crate::terminal::{ColourDepth, HANG_UP, TerminalSession};
use app::App;
use crossterm::event::{Event, KeyCode, KeyModifiers, MouseEventKind};
use input::{InputReader, TerminalInput};
use session::{Effect, Question};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use theme::ThemeKind;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Every key, in the order of help: what `epsiloscope keys` prints.
pub fn key_rows() -> Vec<KeyRow> {
    key_table::KEY_TABLE.rows()
}

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);

/// Runs the dashboard until the user leaves it.
///
/// # Errors
/// Failure, when the terminal cannot be used.
pub fn run(options: StartOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| Error::failure(format!("cannot start: {e}"), "dashboard", "try again"))?;
    runtime.block_on(dashboard(options))
}

async fn dashboard(options: StartOptions) -> Result<()> {
    let env = |name: &str| std::env::var(name).ok();
    let theme = ThemeKind::choose(options.config.theme, env);
    let hint = options.first_run_marker.as_deref().is_some_and(|path| !path.exists());
    let (app, effects) = App::new(&options, theme, hint);
    let (sender, inputs) = unbounded_channel();
    let (update_sender, updates) = unbounded_channel();
    let unheard = |e: std::io::Error| {
        Error::failure(
            format!("cannot read the keyboard: {e}"),
            "dashboard",
            "close other programs",
        )
    };
    // Signals before the terminal is taken: from here on none ends the process on the spot.
    input::watch_signals(sender.clone()).map_err(unheard)?;
    let depth = ColourDepth::here();
    let screen = TerminalSession::enter(&options.config.log, depth)?;
    let reader = InputReader::start(sender).map_err(unheard)?;
    let mut event_loop = EventLoop {
        app,
        screen,
        reader,
        engine: None,
        depth,
        marker: options.first_run_marker,
        hybrids_file: options.config.hybrids_file,
        began: Instant::now(),
        zoomed: false,
        able: GraphicsSupport::default(),
        asked: false,
        asking: None,
    };
    // The first frame stands before the worker begins.
    event_loop.draw()?;
    event_loop.screen.guard();
    let sink = move |update: Update| {
        let _ = update_sender.send(update);
    };
    event_loop.engine = Some(Engine::start(options.config.device, sink));
    event_loop.perform(effects)?;
    let ended = event_loop.run(inputs, updates).await;
    let EventLoop { screen, engine, reader, .. } = event_loop;
    drop(reader);
    // Before the worker, which may need a moment to stop.
    drop(screen);
    drop(engine);
    ended
}

/// Everything that acts for the state.
struct EventLoop {
    app: App,
    screen: TerminalSession,
    reader: InputReader,
    engine: Option<Engine>,
    depth: ColourDepth,
    marker: Option<PathBuf>,
    hybrids_file: Option<PathBuf>,
    began: Instant,
    zoomed: bool,
    /// What the terminal shows pictures by, as far as it has said.
    able: GraphicsSupport,
    /// Whether it has answered, or was asked in vain.
    asked: bool,
    asking: Option<PendingZoom>,
}

/// The terminal was asked what it shows pictures by; these wait for its answer.
struct PendingZoom {
    pictures: Vec<(String, Image)>,
    /// Since the beginning.
    until: Duration,
}

impl EventLoop {
    async fn run(
        &mut self,
        mut inputs: UnboundedReceiver<TerminalInput>,
        mut updates: UnboundedReceiver<Update>,
    ) -> Result<()> {
        let mut changed = true;
        let mut drawn = Duration::ZERO;
        loop {
            let due = if changed && !self.zoomed { Some(drawn + FRAME) } else { None };
            let answer_due = self.asking.as_ref().map(|asking| asking.until);
            let wake =
                [due, answer_due, self.app.session.next_change()].into_iter().flatten().min();
            let pause = wake.map(|at| at.saturating_sub(self.began.elapsed()));
            let (mut input, mut update) = (None, None);
            tokio::select! {
                biased;
                Some(next) = inputs.recv() => input = Some(next),
                Some(next) = updates.recv() => update = Some(next),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
            let now = self.began.elapsed();
            changed |= self.app.session.tick(now);
            let mut effects = Vec::new();
            // What the user did is shown at once; what the worker says waits for its frame.
            let mut at_once = false;
            while let Some(next) = input.take().or_else(|| inputs.try_recv().ok()) {
                at_once |= self.take_input(next, &mut effects)?;
            }
            if self.asking.as_ref().is_some_and(|asking| asking.until <= now) {
                self.answered()?;
                at_once = true;
            }
            changed |= at_once;
            while let Some(next) = update.take().or_else(|| updates.try_recv().ok()) {
                changed |= visible(&self.app, &next);
                effects.extend(self.app.on_update(next));
            }
            self.perform(effects)?;
            if self.app.session.quit {
                return Ok(());
            }
            if changed && !self.zoomed && (at_once || now >= drawn + FRAME) {
                self.draw()?;
                (drawn, changed) = (now, false);
            }
        }
    }

    /// Takes in what comes from outside; true when something changed.
    fn take_input(&mut self, input: TerminalInput, effects: &mut Vec<Effect>) -> Result<bool> {
        match input {
            TerminalInput::Event(event) => self.take_event(event, effects),
            TerminalInput::Reply(answer) if self.able.hear(answer) => {
                self.answered().map(|()| true)
            }
            TerminalInput::Reply(_) => Ok(false),
            TerminalInput::Signal(number) => Err(Error::signal(number)),
            TerminalInput::Gone => {
                log::warn!("the terminal is gone");
                Err(Error::signal(HANG_UP))
            }
        }
    }

    /// Takes in an event of the terminal; true when something changed.
    fn take_event(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<bool> {
        if self.zoomed {
            return self.leave_zoom(&event);
        }
        if matches!(event, Event::Key(_)) {
            // Who goes on does not want the pictures any more that have not come.
            self.asking = None;
        }
        match event {
            Event::Key(key) => effects.extend(self.app.key(key)),
            Event::Paste(text) => return Ok(self.app.paste(&text)),
            Event::Mouse(event) => match self.app.mouse(event) {
                Some(more) => effects.extend(more),
                None => return Ok(false),
            },
            Event::Resize(..) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Over the full screen, any key, click or resize goes back.
    fn leave_zoom(&mut self, event: &Event) -> Result<bool> {
        match event {
            Event::Key(key) => {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                self.app.session.quit |= control && key.code == KeyCode::Char('c');
            }
            Event::Mouse(mouse) if matches!(mouse.kind, MouseEventKind::Down(_)) => {}
            Event::Resize(..) => {}
            _ => return Ok(false),
        }
        show::erase();
        self.zoomed = false;
        self.screen.wipe()?;
        Ok(true)
    }

    fn draw(&mut self) -> Result<()> {
        self.app.session.size = self.screen.size()?;
        let (app, depth) = (&self.app, self.depth);
        self.screen.draw(|area, buf| {
            app.draw(area, buf);
            depth.adapt(buf);
        })
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Result<()> {
        // Of several runs asked for at once, only the last one counts.
        let is_run = |effect: &Effect| matches!(effect, Effect::Request(Request::Run(_)));
        let last_run = effects.iter().rposition(is_run);
        for (at, effect) in effects.into_iter().enumerate() {
            match effect {
                Effect::Request(Request::Run(_)) if Some(at) != last_run => {}
                Effect::Request(request) => {
                    if let Some(engine) = &self.engine {
                        let id = engine.request(request.clone());
                        self.app.on_sent(id, &request);
                    }
                }
                Effect::Zoom(pictures) => self.zoom(pictures)?,
                Effect::Suspend => {
                    self.reader.pause();
                    let suspended = self.screen.suspend();
                    self.reader.resume();
                    suspended?;
                }
                Effect::Write { path, text, confirm } => self.write(&path, &text, confirm),
                Effect::SaveHybrid(stack) => self.save_hybrid(&stack),
                Effect::HintSeen => self.marker.as_deref().into_iter().for_each(mark),
            }
        }
        Ok(())
    }

    /// Writes a file; where one of its name is there already and there is something to ask, asks.
    fn write(&mut self, path: &Path, text: &str, confirm: Option<Question>) {
        let name = path.display().to_string();
        if let Some(question) = confirm.filter(|_| path.exists()) {
            return self.app.ask(question);
        }
        match write_atomically(path, |file| file.write_all(text.as_bytes())) {
            Ok(()) => self.app.session.say(format!("'{name}' is written"), false),
            Err(error) => self.app.session.say(error.to_string(), true),
        }
    }

    /// Saves a hybrid by its name.
    fn save_hybrid(&mut self, stack: &DefenceStack) {
        let Some(path) = &self.hybrids_file else {
            return self.app.session.say("there is no home to save hybrids in", true);
        };
        let name = stack.name().unwrap_or_default().to_string();
        match saved::save(path, stack) {
            Ok(()) => {
                self.app.session.say(format!("'{name}' is saved in '{}'", path.display()), false);
            }
            Err(error) => self.app.session.say(error.to_string(), true),
        }
    }

    /// Shows pictures on the full screen, once it is known what the terminal shows them by.
    fn zoom(&mut self, pictures: Vec<(String, Image)>) -> Result<()> {
        let graphics = match self.app.session.theme.is_mono() {
            true => Graphics::Ascii,
            false => self.app.session.graphics,
        };
        // PromptKind once only: a second answer would be nobody's.
        let put = || ask::outstanding() || ask::put().is_ok();
        if !self.asked && show::must_ask(graphics) && put() {
            let until = self.began.elapsed() + ask::PATIENCE;
            self.asking = Some(PendingZoom { pictures, until });
            return Ok(());
        }
        let sentences = self.app.session.shown.as_ref().map(wording::sentences).unwrap_or_default();
        let with = |text: &String| format!("any key goes back   {text}");
        let mut words: Vec<String> = sentences.iter().map(with).collect();
        words.push("any key goes back".into());
        match show::zoom(&pictures, &words, graphics, self.able) {
            Ok(()) => self.zoomed = true,
            Err(error) => {
                self.screen.wipe()?;
                self.app.session.say(error.to_string(), true);
            }
        }
        Ok(())
    }

    /// The terminal has answered, or does not: the pictures that wait are shown.
    fn answered(&mut self) -> Result<()> {
        self.asked = true;
        match self.asking.take() {
            Some(asking) => self.zoom(asking.pictures),
            None => Ok(()),
        }
    }
}

/// Whether an update shows at all: the steps of a run that will be over in a moment do not.
fn visible(app: &App, update: &Update) -> bool {
    match update {
        Update::Started(_) | Update::Clean(..) | Update::Step(..) => {
            app.session.late() || app.session.shown.is_none()
        }
        _ => true,
    }
}

/// Leaves the mark that the first-run hint was seen.
fn mark(path: &Path) {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    if let Err(error) = folder.and_then(|()| std::fs::write(path, b"")) {
        log::warn!("{}: {error}", path.display());
    }
}
