//! What can be done on the dashboard. Keys, mouse, palette and tests all name an [`Action`].

/// A command that one screen declares in its own folder: opening it, or something only it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The screen's identifier, and behind a point the command's, such as `compare.export`.
    pub id: &'static str,
    /// What it does, as help and the palette say it.
    pub text: &'static str,
}

macro_rules! actions {
    ($($name:ident => $text:literal,)*) => {
        /// One thing that can be done.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Action {
            $(#[doc = $text] $name,)*
            /// Opens the screen whose identifier this is.
            Open(Command),
            /// Something that only one screen does.
            Screen(Command),
            /// Picks the row of this letter.
            PickLetter(char),
            /// Sets ε to a value, in pixel units 0..1 (slider, palette).
            SetEpsilon(f64),
            /// Goes to a sample (mouse, palette).
            SelectSample(usize),
            /// Shows one iteration of the attack (mouse).
            Scrub(usize),
            /// Shows one pane (mouse on the tabs of small windows).
            ShowPane(usize),
        }

        impl Action {
            /// What it does, as help and the palette say it.
            pub const fn description(self) -> &'static str {
                match self {
                    $(Action::$name => $text,)*
                    Action::Open(command) | Action::Screen(command) => command.text,
                    Action::PickLetter(_) => "Measure the lesson of this letter",
                    Action::SetEpsilon(_) => "Set ε",
                    Action::SelectSample(_) => "Go to a sample",
                    Action::Scrub(_) => "Show one iteration",
                    Action::ShowPane(_) => "Show a pane",
                }
            }
        }
    };
}

actions! {
    NextSample => "Next sample",
    PreviousSample => "Previous sample",
    NextPage => "Ten samples on",
    PreviousPage => "Ten samples back",
    JumpToSample => "Jump to a sample by its number",
    FilterByClass => "Show the samples of one class only",
    NextMistake => "Next sample that the model gets wrong",
    PreviousMistake => "Back to an earlier mistake of the model",
    ChooseData => "Choose the data set",
    ChooseModel => "Choose the model",
    ChooseAttack => "Choose the attack",
    About => "More about this: the attack's card",
    ChooseTarget => "Choose the target class",
    ChooseSurrogate => "Craft the attack on another model (a surrogate)",
    NextNorm => "Switch the norm",
    NextSeed => "Take the next seed",
    EpsilonUp => "ε a little larger",
    EpsilonDown => "ε a little smaller",
    EpsilonUpFast => "ε much larger",
    EpsilonDownFast => "ε much smaller",
    TypeEpsilon => "Type ε (0.1 or 8/255)",
    ResetEpsilon => "ε back to its usual value",
    PlayPause => "Play or pause the attack's iterations",
    StepForward => "One iteration on",
    StepBack => "One iteration back",
    Rewind => "Rewind to the first iteration",
    ToResult => "Back to the attack's result",
    ToggleStance => "Attack the defences naive or adaptive",
    Blink => "Blink original and adversarial in place",
    Zoom => "Pictures on the full screen",
    AmplifyMore => "Amplify the perturbation more",
    AmplifyLess => "Amplify the perturbation less",
    NextPane => "Next pane (in small windows)",
    PreviousPane => "Previous pane (in small windows)",
    NextTheme => "Theme: dark, light, mono",
    Palette => "Find an action by name",
    Quit => "Quit",
    ForceQuit => "Quit at once",
    Suspend => "Suspend to the shell",
    Up => "Up",
    Down => "Down",
    PageUp => "A page up",
    PageDown => "A page down",
    Left => "Left",
    Right => "Right",
    Less => "Smaller",
    More => "Larger",
    Accept => "Accept",
    Toggle => "On or off",
    ResetRow => "Back to the default",
    Back => "Close the window on top",
}
