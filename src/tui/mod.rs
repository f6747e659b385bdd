//! The dashboard.
//!
//! Terminal event → [`keymap`] → [`Action`](action::Action) → [`update`] → effects → the worker; the
//! worker's updates → [`on_update`] → draw. The views are pure functions of the state ([`app`]). One
//! frame is drawn after everything that waits was taken in, and only when something changed.

pub mod action;
pub mod app;
pub mod checks;
pub mod compare;
pub mod defence_list;
pub mod defence_metrics;
pub mod dialogs;
mod epsilon_search;
pub mod history;
pub mod info_card;
mod input;
mod key_bindings;
pub mod keymap;
mod learn;
pub mod mouse;
pub mod on_update;
mod picker_items;
pub mod race;
mod rejudge;
mod run_state;
pub mod theme;
mod timing;
pub mod transfer_matrix;
pub mod update;
pub mod view;
pub mod widgets;
mod windows;

pub use keymap::{BINDINGS, key_rows};

use crate::dashboard::StartOptions;
use crate::data::{Image, write_atomically};
use crate::defence::{DefenceStack, saved};
use crate::engine::{Engine, Request, Update};
use crate::error::{Error, Result};
use crate::show::{self, Graphics};
use crate::terminal::ask::{self, GraphicsSupport};
use crate::terminal::{ColourDepth, HANG_UP, TerminalSession};
use app::{App, Effect, StartState};
use input::{InputReader, TerminalInput};
use ratatui::crossterm::event::{Event, KeyCode, KeyModifiers, MouseEventKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use theme::ThemeKind;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

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
    let (config, marker) = (options.config, options.first_run_marker);
    let (app, effects) = App::new(StartState {
        hybrids: config.hybrids,
        theme: ThemeKind::choose(config.theme, env),
        graphics: config.graphics,
        model: options.model,
        dataset: options.dataset,
        sample: options.sample,
        picture: options.picture,
        plan: options.plan,
        seed: config.seed,
        hint: marker.as_deref().is_some_and(|path| !path.exists()),
    });
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
    let screen = TerminalSession::enter(&config.log, depth)?;
    let reader = InputReader::start(sender).map_err(unheard)?;
    let mut event_loop = EventLoop {
        app,
        screen,
        reader,
        engine: None,
        depth,
        marker,
        hybrids_file: config.hybrids_file,
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
    event_loop.engine = Some(Engine::start(config.device, sink));
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
            let wake = [due, answer_due, self.app.next_change()].into_iter().flatten().min();
            let pause = wake.map(|at| at.saturating_sub(self.began.elapsed()));
            let (mut input, mut update) = (None, None);
            tokio::select! {
                biased;
                Some(next) = inputs.recv() => input = Some(next),
                Some(next) = updates.recv() => update = Some(next),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
            let now = self.began.elapsed();
            changed |= self.app.tick(now);
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
            if self.app.quit {
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
            Event::Key(key) => effects.extend(update::key(&mut self.app, key)),
            Event::Paste(text) => return Ok(update::paste(&mut self.app, &text)),
            Event::Mouse(event) => match mouse::mouse(&mut self.app, event) {
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
                self.app.quit |= control && key.code == KeyCode::Char('c');
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
        self.app.size = self.screen.size()?;
        let (app, depth) = (&self.app, self.depth);
        self.screen.draw(|area, buf| {
            view::draw(app, area, buf);
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
                        self.app.note_sent(id, &request);
                    }
                }
                Effect::Zoom(pictures) => self.zoom(pictures)?,
                Effect::Suspend => {
                    self.reader.pause();
                    let suspended = self.screen.suspend();
                    self.reader.resume();
                    suspended?;
                }
                Effect::Write { path, text, replace } => self.write(&path, &text, replace),
                Effect::Keep(stack) => self.keep(&stack),
                Effect::HintSeen => self.marker.as_deref().into_iter().for_each(mark),
            }
        }
        Ok(())
    }

    /// Writes a file; asks before it replaces one.
    fn write(&mut self, path: &Path, text: &str, replace: bool) {
        let name = path.display().to_string();
        if path.exists() && !replace {
            return compare::confirm_overwrite(&mut self.app, &name);
        }
        match write_atomically(path, |file| file.write_all(text.as_bytes())) {
            Ok(()) => self.app.say(format!("'{name}' is written"), false),
            Err(error) => self.app.say(error.to_string(), true),
        }
    }

    /// Saves a hybrid by its name.
    fn keep(&mut self, stack: &DefenceStack) {
        let Some(path) = &self.hybrids_file else {
            return self.app.say("there is no home to save hybrids in".into(), true);
        };
        let name = stack.name().unwrap_or_default().to_string();
        match saved::save(path, stack) {
            Ok(()) => self.app.say(format!("'{name}' is saved in '{}'", path.display()), false),
            Err(error) => self.app.say(error.to_string(), true),
        }
    }

    /// Shows pictures on the full screen, once it is known what the terminal shows them by.
    fn zoom(&mut self, pictures: Vec<(String, Image)>) -> Result<()> {
        let graphics = match self.app.theme.is_mono() {
            true => Graphics::Ascii,
            false => self.app.graphics,
        };
        // PromptKind once only: a second answer would be nobody's.
        let put = || ask::outstanding() || ask::put().is_ok();
        if !self.asked && show::must_ask(graphics) && put() {
            let until = self.began.elapsed() + ask::PATIENCE;
            self.asking = Some(PendingZoom { pictures, until });
            return Ok(());
        }
        let sentences = self.app.shown.as_ref().map(view::wording::sentences).unwrap_or_default();
        let with = |text: &String| format!("any key goes back   {text}");
        let mut words: Vec<String> = sentences.iter().map(with).collect();
        words.push("any key goes back".into());
        match show::zoom(&pictures, &words, graphics, self.able) {
            Ok(()) => self.zoomed = true,
            Err(error) => {
                self.screen.wipe()?;
                self.app.say(error.to_string(), true);
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
            app.late() || app.shown.is_none()
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
