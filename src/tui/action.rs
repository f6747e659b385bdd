//! Everything that can be done on the dashboard. Keys, mouse, palette and tests all speak [`Action`].

use super::compare::TableKind;

macro_rules! actions {
    ($($name:ident => $text:literal,)*) => {
        /// One thing that can be done.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Action {
            $(#[doc = $text] $name,)*
            /// Sets ε to a value (slider, palette).
            SetEpsilon(f64),
            /// Goes to a sample (mouse, palette).
            SelectSample(usize),
            /// Shows one iteration (mouse).
            Scrub(usize),
            /// Moves the cursor of the open list to a row and accepts it (mouse).
            ChooseRow(usize),
            /// Shows one pane (mouse on the tabs of small windows).
            ShowPane(usize),
            /// Puts the cursor on a cell of a comparison, or opens it (mouse).
            ChooseCell(TableKind, usize, usize),
        }

        impl Action {
            /// Every action without a value, in the order of the palette.
            pub const LISTED: &'static [Action] = &[$(Action::$name,)*];

            /// What it does, as the palette says it.
            pub fn description(self) -> &'static str {
                match self {
                    $(Action::$name => $text,)*
                    Action::SetEpsilon(_) => "Set ε",
                    Action::SelectSample(_) => "Go to a sample",
                    Action::Scrub(_) => "Show one iteration",
                    Action::ChooseRow(_) => "Choose a row",
                    Action::ShowPane(_) => "Show a pane",
                    Action::ChooseCell(..) => "Choose a cell",
                }
            }

            /// Whether it only makes sense inside an open window, so that the palette leaves it out.
            pub fn only_inside_windows(self) -> bool {
                use Action::*;
                matches!(self, Left | Right | OpenCell | NextStanceFilter | SwitchTable | MoreSamples | ChooseColumns | AddHybrid | DropRow | NextSort | FilterRows | Export | SwitchAxis | RunChecks | OpenSide | PickLesson | Up | Down | PageUp | PageDown | Less | More | Accept | Toggle | ResetRow | Back)
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
    EditAttack => "Change the attack's parameters",
    About => "More about this: the attack's card",
    ChooseTarget => "Choose the target class",
    ChooseSurrogate => "Craft the attack on another model (a surrogate)",
    FindMinimumEpsilon => "Look for the least ε that works",
    Transfer => "Transfer between the models of this data set",
    Race => "Race: two to four attacks side by side",
    Learn => "Lessons: published defences and what broke them",
    Compare => "Compare defences before several attacks",
    OpenCell => "Open the cell in Explore: its attack, its defence, its stance",
    NextStanceFilter => "Show naive attacks, adaptive ones, or both",
    SwitchTable => "To the other table: this sample, or many",
    MoreSamples => "Over 20, 100 or 500 samples",
    ChooseColumns => "Take attacks in or out",
    AddHybrid => "Add a hybrid, such as jpeg:75+pgd-at; name = stack saves it",
    DropRow => "Take the defence out",
    NextSort => "Sort: as named, clean accuracy, worst case, latency",
    FilterRows => "Show only the defences whose name has this in it",
    Export => "Write the tables to a file: .csv, .json or .md",
    OpenSide => "Set the lesson up on the attack's screen",
    PickLesson => "Measure the lesson of this letter",
    SwitchAxis => "Race over iterations or queries",
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
    EditDefences => "Switch defences on and off, change their parameters",
    ToggleStance => "Attack the defences naive or adaptive",
    TurnStance => "What the attack knows of this defence",
    Certify => "Certificate: the radius that randomised smoothing proves, beside what PGD breaks",
    Detector => "Detector: its curve on this data set (ROC), naive or adaptive",
    Checks => "Evaluation lamps: what may be wrong with this result",
    RunChecks => "Ask the model whatever the lamps want to know",
    Blink => "Blink original and adversarial in place",
    Zoom => "Pictures on the full screen",
    AmplifyMore => "Amplify the perturbation more",
    AmplifyLess => "Amplify the perturbation less",
    NextPane => "Next pane (in small windows)",
    PreviousPane => "Previous pane (in small windows)",
    NextTheme => "Theme: dark, light, mono",
    Help => "Help: every key",
    Palette => "Find an action by name",
    Messages => "Every message so far",
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
