//! A number for each of many numbers that lie together: a stack's place in a tree, say.
//!
//! A hash table of as many entries takes four times the memory. Owns the pages, which are made where
//! something is entered.

/// Numbers by index.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: Vec<Option<Box<[u32; SIZE]>>>,
    /// Pages in use, so that clearing does not look at the others.
    used: Vec<u32>,
}

const SIZE: usize = 1024;
/// Nothing has been entered.
const VACANT: u32 = u32::MAX;

impl Pages {
    pub(super) fn get(&self, index: u32) -> Option<u32> {
        let page = self.pages.get(index as usize / SIZE)?.as_ref()?;
        Some(page[index as usize % SIZE]).filter(|value| *value != VACANT)
    }

    pub(super) fn set(&mut self, index: u32, value: u32) {
        let number = index as usize / SIZE;
        if self.pages.len() <= number {
            self.pages.resize_with(number + 1, || None);
        }
        if let Some(page) = self.pages.get_mut(number) {
            let page = page.get_or_insert_with(|| {
                self.used.push(number as u32);
                Box::new([VACANT; SIZE])
            });
            page[index as usize % SIZE] = value;
        }
    }

    pub(super) fn clear(&mut self) {
        for number in self.used.drain(..) {
            if let Some(page) = self.pages.get_mut(number as usize) {
                *page = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_entered_is_found_until_it_is_cleared() {
        let mut pages = Pages::default();
        for index in [0, 1, 1023, 1024, 5_000_000] {
            assert_eq!(pages.get(index), None);
            pages.set(index, index + 1);
        }
        for index in [0, 1, 1023, 1024, 5_000_000] {
            assert_eq!(pages.get(index), Some(index + 1));
        }
        assert_eq!(pages.get(2), None);
        pages.clear();
        assert_eq!(pages.get(1024), None);
    }
}
