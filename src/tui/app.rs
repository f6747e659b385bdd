//! The dashboard: the session, the screens and the stack that they stand on. Keys, mouse, drawing,
//! footer and help go by the stack; no screen is called by its name.

use super::action::Action;
use super::frame;
use super::key_table::{KEY_TABLE, tab_keys};
use super::keymap::{Binding, EVERYWHERE, Key, lookup};
use super::screen::{Answer, Heard, Outcome, Screen};
use super::screens::SCREENS;
use super::session::{Effect, Question, Session};
use super::theme::ThemeKind;
use super::widgets::panel::window_place;
use super::windows::prompt::Prompt;
use crate::dashboard::StartOptions;
use crate::engine::{JobId, Request, Update};
use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::any::Any;

/// The most characters that a line takes from a paste.
const PASTED: usize = 1000;

/// Something on the stack above the first screen.
enum Layer {
    /// A screen, by its place in the list.
    Screen(usize),
    /// A window that a screen has opened.
    Window(Box<dyn Screen>),
}

/// The dashboard.
pub struct App {
    /// What all screens share.
    pub session: Session,
    /// Whether the greeting of the first run is shown.
    pub hint: bool,
    /// Every screen, in the order of the list; the first stands below the stack.
    screens: Vec<Box<dyn Screen>>,
    stack: Vec<Layer>,
}

impl App {
    /// The dashboard at the start, and what it has to ask for.
    pub fn new(options: &StartOptions, theme: ThemeKind, hint: bool) -> (Self, Vec<Effect>) {
        let session = Session::new(options, theme, &KEY_TABLE);
        let screens = SCREENS.iter().map(|spec| (spec.create)()).collect();
        let mut app = Self { session, hint, screens, stack: Vec::new() };
        let effects = app.settle();
        (app, effects)
    }

    /// A screen, or an open window, by its type.
    pub fn get<T: Screen>(&self) -> Option<&T> {
        let windows = self.stack.iter().filter_map(|layer| match layer {
            Layer::Window(window) => Some(window),
            Layer::Screen(_) => None,
        });
        windows.chain(&self.screens).find_map(|screen| {
            let screen: &dyn Any = screen.as_ref();
            screen.downcast_ref()
        })
    }

    /// The same, to be changed.
    pub fn get_mut<T: Screen>(&mut self) -> Option<&mut T> {
        let windows = self.stack.iter_mut().filter_map(|layer| match layer {
            Layer::Window(window) => Some(window),
            Layer::Screen(_) => None,
        });
        windows.chain(&mut self.screens).find_map(|screen| {
            let screen: &mut dyn Any = screen.as_mut();
            screen.downcast_mut()
        })
    }

    /// The identifiers of the screens on the stack, the topmost last; windows of screens are "".
    pub fn stack(&self) -> Vec<&'static str> {
        let id = |layer: &Layer| match layer {
            Layer::Screen(at) => SCREENS[*at].id,
            Layer::Window(_) => "",
        };
        self.stack.iter().map(id).collect()
    }

    /// The screen or window so many places above the first screen.
    fn layer(&self, at: usize) -> &dyn Screen {
        match at.checked_sub(1).map(|at| &self.stack[at]) {
            None => self.screens[0].as_ref(),
            Some(Layer::Screen(at)) => self.screens[*at].as_ref(),
            Some(Layer::Window(window)) => window.as_ref(),
        }
    }

    /// The same, and the session, both to be changed.
    fn layer_mut(&mut self, at: usize) -> (&mut dyn Screen, &mut Session) {
        let screen = match at.checked_sub(1).map(|at| &mut self.stack[at]) {
            None => self.screens[0].as_mut(),
            Some(Layer::Screen(at)) => self.screens[*at].as_mut(),
            Some(Layer::Window(window)) => window.as_mut(),
        };
        (screen, &mut self.session)
    }

    fn is_window(&self, at: usize) -> bool {
        self.layer(at).window(&self.session).is_some()
    }

    /// The place of the topmost layer that fills the screen.
    fn full(&self) -> usize {
        (0..=self.stack.len()).rev().find(|at| !self.is_window(*at)).unwrap_or(0)
    }

    /// The bindings that work now.
    fn bindings(&self) -> Vec<Binding> {
        let Some(layer) = self.stack.last() else { return KEY_TABLE.root.clone() };
        let mut rows = self.layer(self.stack.len()).keymap().rows.to_vec();
        if let Layer::Screen(at) = layer {
            rows.extend(tab_keys(SCREENS[*at], ""));
        }
        rows.extend(EVERYWHERE);
        rows
    }

    /// Does an action.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        self.dispatch(action);
        self.settle()
    }

    /// A key was pressed.
    pub fn key(&mut self, event: KeyEvent) -> Vec<Effect> {
        if std::mem::take(&mut self.hint) {
            self.session.push(Effect::HintSeen);
        }
        self.session.message_shown = false;
        match lookup(&self.bindings(), Key::of(&event)) {
            Some(action) => self.dispatch(action),
            None => self.layer_mut(self.stack.len()).0.typed(event),
        }
        self.settle()
    }

    /// Text was pasted: it goes into the line being typed, and nowhere else. True when there is one.
    pub fn paste(&mut self, text: &str) -> bool {
        let (top, _) = self.layer_mut(self.stack.len());
        let takes = top.takes_text();
        if takes {
            let plain = text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c });
            for letter in plain.filter(|c| !c.is_control()).take(PASTED) {
                top.typed(KeyEvent::from(KeyCode::Char(letter)));
            }
        }
        takes
    }

    /// A mouse event; none where nothing is there, so that nothing is drawn.
    pub fn mouse(&mut self, event: MouseEvent) -> Option<Vec<Effect>> {
        let (columns, rows) = self.session.size;
        let area = Rect::new(0, 0, columns, rows);
        if frame::is_too_small(area) {
            return None;
        }
        if self.hint && matches!(event.kind, MouseEventKind::Down(_)) {
            self.hint = false;
            self.session.push(Effect::HintSeen);
            return Some(self.settle());
        }
        let top = self.stack.len();
        let (at, left) = (
            Position::new(event.column, event.row),
            matches!(event.kind, MouseEventKind::Down(MouseButton::Left)),
        );
        let outcome = match self.layer(top).window(&self.session) {
            Some(wanted) => {
                let place = window_place(wanted, area);
                match event.kind {
                    MouseEventKind::ScrollUp => Outcome::Do(Action::Up),
                    MouseEventKind::ScrollDown => Outcome::Do(Action::Down),
                    _ if left && place.contains(at) => {
                        let (screen, session) = self.layer_mut(top);
                        screen.mouse(event, place, session)
                    }
                    _ if left => Outcome::Do(Action::Back),
                    _ => Outcome::Ignored,
                }
            }
            None => {
                let tabs = frame::tabs(&self.session, self.tabs(), frame::header_place(area));
                let tab = tabs.iter().find(|tab| left && tab.place.contains(at));
                match tab.map(|tab| tab.action) {
                    Some(action) => Outcome::Do(action),
                    None => {
                        let (screen, session) = self.layer_mut(top);
                        screen.mouse(event, frame::body(area), session)
                    }
                }
            }
        };
        if matches!(outcome, Outcome::Ignored) {
            return None;
        }
        self.apply(Some(top), None, outcome);
        Some(self.settle())
    }

    /// A request was sent to the engine under this number.
    pub fn on_sent(&mut self, id: JobId, request: &Request) {
        self.session.on_sent(id, request);
        self.screens.iter_mut().for_each(|s| s.on_sent(id, request, &mut self.session));
        self.session.busy = self.is_busy();
    }

    /// Takes an update of the engine.
    pub fn on_update(&mut self, update: Update) -> Vec<Effect> {
        let mut rest = self.session.on_update(update);
        for at in 0..self.screens.len() {
            let Some(update) = rest.take() else { break };
            match self.screens[at].on_update(update, &mut self.session) {
                Heard::Taken => {}
                Heard::Passed(update) => rest = Some(update),
                Heard::Closed(update) => {
                    let this = |layer: &Layer| matches!(layer, Layer::Screen(here) if *here == at);
                    self.stack.retain(|layer| !this(layer));
                    rest = Some(update);
                }
            }
        }
        self.settle()
    }

    /// Asks the user for a line.
    pub fn ask(&mut self, question: Question) {
        self.stack.push(Layer::Window(Box::new(Prompt::new(question))));
    }

    /// Whether the engine works on something.
    fn is_busy(&self) -> bool {
        self.session.is_busy() || self.screens.iter().any(|screen| screen.is_busy())
    }

    /// Gives an action to the topmost screen or window that takes it.
    fn dispatch(&mut self, action: Action) {
        if let Action::Open(command) = action {
            if let Some(at) = SCREENS.iter().position(|spec| spec.id == command.id) {
                self.open(at);
            }
            return;
        }
        for at in (0..=self.stack.len()).rev() {
            let (screen, session) = self.layer_mut(at);
            match screen.update(action, session) {
                // Whatever does nothing else when it is to go back closes.
                Outcome::Ignored if action == Action::Back => return self.close(at),
                Outcome::Ignored => {}
                outcome => return self.apply(Some(at), None, outcome),
            }
        }
    }

    /// Opens a screen. Of those that fill the screen only one stands above the first.
    fn open(&mut self, screen: usize) {
        if self.screens[screen].window(&self.session).is_none() {
            let other = |(at, layer): (usize, &Layer)| {
                let here = matches!(layer, Layer::Screen(here) if *here == screen);
                (!here && !self.is_window(at + 1)).then_some(at + 1)
            };
            let others: Vec<usize> = self.stack.iter().enumerate().filter_map(other).collect();
            others.into_iter().rev().for_each(|at| self.close(at));
        }
        let outcome = self.screens[screen].open(&mut self.session);
        self.apply(None, Some(screen), outcome);
    }

    /// Does what a layer, or a screen that may not be on the stack, has said.
    fn apply(&mut self, layer: Option<usize>, screen: Option<usize>, outcome: Outcome) {
        match outcome {
            Outcome::Ignored | Outcome::Done => {}
            Outcome::Show => {
                let here = |at: usize| {
                    let mut layers = self.stack.iter();
                    layers.any(|layer| matches!(layer, Layer::Screen(here) if *here == at))
                };
                if let Some(at) = screen.filter(|at| *at > 0 && !here(*at)) {
                    self.stack.push(Layer::Screen(at));
                }
            }
            Outcome::Close => layer.into_iter().for_each(|at| self.close(at)),
            Outcome::Push(window) => self.stack.push(Layer::Window(window)),
            Outcome::Do(action) => self.dispatch(action),
            Outcome::CloseAndDo(action) => {
                layer.into_iter().for_each(|at| self.close(at));
                self.dispatch(action);
            }
            Outcome::Answer(answer) => self.answer(layer, answer),
        }
    }

    /// Tells a screen of an answer; the window stays where the answer is refused.
    fn answer(&mut self, window: Option<usize>, Answer { to, reply, closes }: Answer) {
        let Some(screen) = SCREENS.iter().position(|spec| spec.id == to) else { return };
        match self.screens[screen].answer(reply, &mut self.session) {
            Ok(outcome) => {
                window.filter(|_| closes).into_iter().for_each(|at| self.close(at));
                self.apply(None, Some(screen), outcome);
            }
            Err(why) => window.into_iter().for_each(|at| self.layer_mut(at).0.refused(why.clone())),
        }
    }

    /// Takes a layer off the stack; the first screen stays.
    fn close(&mut self, at: usize) {
        let Some(at) = at.checked_sub(1).filter(|at| *at < self.stack.len()) else { return };
        if let Layer::Screen(screen) = self.stack.remove(at) {
            self.screens[screen].close(&mut self.session);
        }
    }

    /// After a change of the session: the full screen on top asks for what it needs. Hands out what is
    /// to be done.
    pub fn settle(&mut self) -> Vec<Effect> {
        while let Some(why) = self.session.take_refresh() {
            let (screen, session) = self.layer_mut(self.full());
            screen.refresh(why, session);
        }
        self.session.busy = self.is_busy();
        self.session.take_effects()
    }

    /// The names in the header: key, name, whether it is the screen now, and what goes there.
    fn tabs(&self) -> Vec<frame::TabEntry> {
        let here = |layer: &Layer| match layer {
            Layer::Screen(at) => SCREENS[*at].tab.is_some().then_some(*at),
            Layer::Window(_) => None,
        };
        let now = self.stack.iter().rev().find_map(here).unwrap_or(0);
        let tabs = SCREENS.iter().enumerate().filter_map(|(at, spec)| {
            let (tab, opener) = (spec.tab.as_ref()?, spec.opener.as_ref());
            let action = opener.map_or(Action::Back, |opener| opener.binding.action);
            Some(frame::TabEntry { key: tab.key, name: tab.name, here: at == now, action })
        });
        let mut tabs: Vec<frame::TabEntry> = tabs.collect();
        tabs.sort_by_key(|tab| tab.key);
        tabs
    }

    /// Draws everything.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let session = &self.session;
        buf.set_style(area, session.theme.base);
        if frame::is_too_small(area) {
            return frame::draw_too_small(&session.theme, area, buf);
        }
        let (full, top) = (self.full(), self.stack.len());
        let tabs = frame::tabs(session, self.tabs(), frame::header_place(area));
        frame::draw_header(session, &tabs, frame::header_place(area), buf);
        self.layer(full).draw(session, frame::body(area), buf);
        let ends = self.layer(top).footer(session);
        let mut screens = self.screens.iter().filter(|_| full == top);
        let status = screens.find_map(|screen| screen.status(session));
        let footer = frame::Footer { bindings: self.bindings(), ends, status };
        footer.draw(session, frame::footer_place(area), buf);
        for at in full + 1..=top {
            let window = self.layer(at);
            let wanted = window.window(session).unwrap_or_default();
            window.draw(session, window_place(wanted, area), buf);
        }
        if self.hint && full == top {
            frame::draw_greeting(&session.theme, area, buf);
        }
    }
}
