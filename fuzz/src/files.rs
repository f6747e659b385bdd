//! Files that are made by other programs: pictures and training data.

use super::told;
use epsiloscope::data::{
    Dataset, Image, ResizeFilter, TrainingData, read_image, save_npy, save_png,
};
use std::path::Path;

/// Does something in a folder that each thread keeps for itself.
pub fn in_folder<T>(work: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        // In memory where that can be had: a disk would take most of the time.
        static FOLDER: tempfile::TempDir = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a folder for small files");
    }
    FOLDER.with(|folder| work(folder.path()))
}

/// A picture: its pixels are in range, it fits a network's input, and what is saved is read as it is.
pub fn picture(data: &[u8]) -> bool {
    in_folder(|folder| {
        let path = folder.join("picture");
        std::fs::write(&path, data).expect("a file");
        let Some(picture) = told(read_image(&path)) else { return false };
        let [c, h, w] = picture.shape();
        assert!(matches!(c, 1 | 3) && h > 0 && w > 0, "{:?}", picture.shape());
        picture.check("picture").expect("pixels in 0..1");
        for (shape, resize) in [([1, 8, 8], None), ([3, 10, 6], Some(12))] {
            let fitted = picture.fit(shape, resize, ResizeFilter::Triangle);
            assert_eq!(fitted.shape(), shape);
            fitted.check("picture").expect("pixels in 0..1");
        }
        if h * w <= 4096 {
            let saved = folder.join("saved.png");
            save_png(&picture, &saved).expect("it can be saved");
            let again = read_image(&saved).expect("what was saved is read");
            let rgb = |picture: &Image| picture.to_rgb();
            assert_eq!(rgb(&again), rgb(&picture));
        }
        true
    })
}

/// A NumPy file: what is read and written again is the same, bit by bit.
pub fn npy(data: &[u8]) -> bool {
    in_folder(|folder| {
        let path = folder.join("picture.npy");
        std::fs::write(&path, data).expect("a file");
        let Some(picture) = told(read_image(&path)) else { return false };
        picture.check("picture").expect("pixels in 0..1");
        save_npy(&picture.shape(), picture.pixels(), &path).expect("it can be saved");
        assert_eq!(read_image(&path).as_ref(), Ok(&picture));
        true
    })
}

/// An IDX file of pictures and one of labels, plain or gzip-compressed; two bytes say how long the
/// first one is.
pub fn idx(data: &[u8]) -> bool {
    let Some((length, files)) = data.split_at_checked(2) else { return false };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let (pictures, labels) = files.split_at(length.min(files.len()));
    in_folder(|folder| {
        let put =
            |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("a file");
        put("train-images-idx3-ubyte", pictures);
        put("train-labels-idx1-ubyte", labels);
        let Some(read) = told(TrainingData::read("mnist", folder)) else { return false };
        whole(&read.training, 10);
        true
    })
}

/// A batch of CIFAR-10: a pickle, or binary where the first byte is not a pickle's.
pub fn pickle(data: &[u8]) -> bool {
    let names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"];
    let (kept, suffix) = match data.first() {
        Some(0x80 | b'(' | b'}') => ("python", ""),
        _ => ("binary", ".bin"),
    };
    in_folder(|folder| {
        let folder = folder.join(kept);
        let first = folder.join(format!("data_batch_1{suffix}"));
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::write(&first, b"").expect("a file");
            for name in &names[1..] {
                std::fs::hard_link(&first, folder.join(format!("{name}{suffix}"))).expect("a link");
            }
        }
        std::fs::write(&first, data).expect("a file");
        let Some(read) = told(TrainingData::read("cifar10", &folder)) else { return false };
        assert!(read.training.len() % 5 == 0 && read.test.is_none());
        whole(&read.training, 10);
        true
    })
}

/// Every sample is there, with its pixels and a class of the data set.
fn whole(dataset: &Dataset, classes: usize) {
    for index in [0, dataset.len().saturating_sub(1)] {
        let Ok(sample) = dataset.get(index) else { continue };
        let values: usize = sample.image.shape().iter().product();
        assert_eq!(dataset.bytes(index).map(<[u8]>::len), Some(values));
        assert!(sample.label.is_some_and(|label| label < classes));
    }
    assert!(dataset.get(dataset.len()).is_err());
}
