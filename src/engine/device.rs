//! Which device computes: a hardware adapter by wgpu where there is one, else burn's fastest CPU
//! backend. A software adapter (lavapipe, llvmpipe) is slower than the CPU backend, so it is used
//! only when it is asked for by `--device wgpu`.

use crate::data::memory;
use crate::error::{Error, Result};
use crate::experiment::DeviceInfo;
use burn_tensor::{Device, DeviceKind, Tensor};
use burn_wgpu::wgpu;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

/// So many addresses graphics drivers take, and end the process where they cannot have them.
const DRIVER_ADDRESSES: u64 = 2 << 30;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware adapter if there is one, else the CPU.
    #[default]
    Auto,
    /// wgpu, on a software adapter if there is no other.
    Wgpu,
    /// The CPU backend.
    Cpu,
}

impl std::str::FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "wgpu" => Ok(Self::Wgpu),
            "cpu" => Ok(Self::Cpu),
            _ => Err(Error::usage(
                format!("unknown device '{text}'"),
                "--device",
                "give auto, wgpu or cpu",
            )),
        }
    }
}

/// An adapter that wgpu sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// The graphics API: `vulkan`, `metal`, `dx12`, `gl`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `cpu` or `other`.
    pub kind: String,
    /// The driver.
    pub driver: String,
    /// Whether it is hardware.
    pub hardware: bool,
}

/// The device that was chosen.
#[derive(Clone)]
pub struct ChosenDevice {
    /// The device.
    pub device: Device,
    /// What it is, for the screen and reports.
    pub info: DeviceInfo,
    /// Why not another one, in one line; none where it is what was asked for.
    pub note: Option<String>,
    /// Whether the note is about what the machine has, not about something that failed: it is true
    /// at every run, and told once.
    pub settled: bool,
}

/// Waits for a future that is ready at once on native platforms.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// Every adapter that wgpu sees, hardware first.
pub fn adapters() -> Vec<Adapter> {
    let list = catch_unwind(|| {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        wait(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
            .iter()
            .map(|adapter| describe(&adapter.get_info()))
            .collect::<Vec<_>>()
    });
    let mut list = list.unwrap_or_default();
    list.sort_by_key(|adapter| !adapter.hardware);
    list
}

fn describe(info: &wgpu::AdapterInfo) -> Adapter {
    use wgpu::DeviceType as T;
    let software = ["llvmpipe", "softpipe", "swiftshader", "lavapipe", "basic render"];
    let name = info.name.to_lowercase();
    let soft = info.device_type == T::Cpu || software.iter().any(|s| name.contains(s));
    Adapter {
        name: info.name.clone(),
        backend: info.backend.to_string(),
        kind: match info.device_type {
            T::DiscreteGpu => "discrete",
            T::IntegratedGpu => "integrated",
            T::VirtualGpu => "virtual",
            T::Cpu => "cpu",
            T::Other => "other",
        }
        .to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        hardware: !soft,
    }
}

fn cpu(note: Option<String>) -> ChosenDevice {
    let info = DeviceInfo { kind: "cpu".into(), name: "burn-flex".into() };
    ChosenDevice { device: Device::flex(), info, note, settled: false }
}

/// Chooses the device. Where wgpu cannot be had, the CPU backend takes its place and the note says
/// why: there is always a device.
pub fn choose(choice: DeviceChoice) -> ChosenDevice {
    if choice == DeviceChoice::Cpu {
        return cpu(None);
    }
    if choice == DeviceChoice::Auto
        && memory::addresses().is_some_and(|left| left < DRIVER_ADDRESSES)
    {
        return cpu(Some("the address limit leaves no room for graphics drivers".into()));
    }
    let list = adapters();
    let hardware = list.iter().find(|a| a.hardware);
    let wanted = match choice {
        DeviceChoice::Wgpu => hardware.or(list.first()),
        _ => hardware,
    };
    let Some(adapter) = wanted else {
        let note = match list.first() {
            Some(soft) => format!("no GPU, only the software adapter {}", short(&soft.name)),
            None => "no GPU: wgpu finds no adapter".into(),
        };
        return ChosenDevice { settled: true, ..cpu(Some(note)) };
    };
    match open(adapter) {
        Ok(device) => {
            let name = format!("{} ({})", short(&adapter.name), adapter.backend);
            let info = DeviceInfo { kind: "wgpu".into(), name };
            let note =
                (!adapter.hardware).then(|| "software adapter, slower than --device cpu".into());
            ChosenDevice { device, info, note, settled: true }
        }
        Err(why) => cpu(Some(format!("{} failed: {why}", short(&adapter.name)))),
    }
}

/// An adapter's name without its list of features.
fn short(name: &str) -> &str {
    name.split(" (").next().unwrap_or(name)
}

/// Sets the adapter up and computes on it once. burn keeps a device for the life of the process, and
/// refuses to set one up twice.
fn open(adapter: &Adapter) -> Result<Device, String> {
    static OPEN: OnceLock<Result<Device, String>> = OnceLock::new();
    let kind = match adapter.kind.as_str() {
        "discrete" => DeviceKind::DiscreteGpu(0),
        "integrated" => DeviceKind::IntegratedGpu(0),
        "virtual" => DeviceKind::VirtualGpu(0),
        "cpu" => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    };
    let set_up = || {
        let tried = catch_unwind(AssertUnwindSafe(|| -> Result<Device, String> {
            let device =
                Device::wgpu_options().device_kind(kind).init().map_err(|e| e.to_string())?;
            let probe: Tensor<1> = Tensor::from_floats([1.0, 2.0], &device);
            let sum = probe.sum().try_into_scalar::<f32>().map_err(|e| e.to_string())?;
            match sum == 3.0 {
                true => Ok(device),
                false => Err(format!("it adds 1 and 2 to {sum}")),
            }
        }));
        let line = |text: String| text.lines().next().unwrap_or_default().to_string();
        tried.unwrap_or_else(|_| Err("it panicked while being set up".into())).map_err(line)
    };
    OPEN.get_or_init(set_up).clone()
}
