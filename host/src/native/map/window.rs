//! The decision whether another item may start, so that a map's memory is bounded.

/// The maximum number of items in flight: started, and not yet returned to the program.
const MAX_ITEMS: u64 = 1024;

/// The maximum number of items in flight before the first of them has ended, since the sizes of values are unknown.
const MAX_ITEMS_AT_START: u64 = 64;

/// The maximum size of the arguments and values in flight, in bytes. One item may be larger.
const MAX_BYTES: u64 = 256 << 20;

/// The items of a map that are in flight.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The number of items that have not ended.
    running: u64,
    /// The size of their arguments.
    argument_bytes: u64,
    /// The number of items that have ended and are not yet returned.
    held: u64,
    /// The size of their values.
    value_bytes: u64,
    /// The number of all items that have ended, and the size of their values.
    ended: u64,
    ended_bytes: u64,
}

impl Window {
    /// Returns whether another item may start. Assumes that the values of running items have the mean size.
    pub(crate) fn has_room(&self) -> bool {
        let items = self.running + self.held;
        if items == 0 {
            return true;
        }
        let Some(mean) = self.ended_bytes.checked_div(self.ended) else {
            return items < MAX_ITEMS_AT_START && self.argument_bytes < MAX_BYTES;
        };
        let expected = (self.running + 1).saturating_mul(mean);
        let bytes = self.argument_bytes.saturating_add(self.value_bytes).saturating_add(expected);
        items < MAX_ITEMS && bytes < MAX_BYTES
    }

    /// Returns whether no item is running.
    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// Adds an item with arguments of this size.
    pub(crate) fn start(&mut self, arguments: u64) {
        self.running += 1;
        self.argument_bytes += arguments;
    }

    /// Records that an item has ended with a value of this size.
    pub(crate) fn end(&mut self, arguments: u64, value: u64) {
        self.running -= 1;
        self.argument_bytes -= arguments;
        self.held += 1;
        self.value_bytes += value;
        self.ended += 1;
        self.ended_bytes += value;
    }

    /// Removes an ended item that is returned to the program.
    pub(crate) fn release(&mut self, value: u64) {
        self.held -= 1;
        self.value_bytes -= value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts items while there is room, and returns their number.
    fn fill(window: &mut Window, arguments: u64) -> u64 {
        let mut started = 0;
        while window.has_room() {
            window.start(arguments);
            started += 1;
        }
        started
    }

    #[test]
    fn window_bounds_the_number_of_small_items() {
        let mut window = Window::default();
        assert_eq!(fill(&mut window, 1), MAX_ITEMS_AT_START);
        window.end(1, 1);
        assert_eq!(fill(&mut window, 1), MAX_ITEMS - MAX_ITEMS_AT_START);
        window.end(1, 1);
        // An ended item occupies its place until it is returned.
        assert_eq!(fill(&mut window, 1), 0);
        window.release(1);
        assert_eq!(fill(&mut window, 1), 1);
    }

    #[test]
    fn window_bounds_the_size_of_arguments() {
        assert_eq!(fill(&mut Window::default(), MAX_BYTES / 4), 4);
    }

    #[test]
    fn window_expects_values_of_the_mean_size() {
        let mut window = Window::default();
        window.start(0);
        window.end(0, MAX_BYTES / 8);
        window.release(MAX_BYTES / 8);
        assert_eq!(fill(&mut window, 0), 7);
        window.end(0, MAX_BYTES / 8);
        assert_eq!(fill(&mut window, 0), 0);
    }

    #[test]
    fn item_larger_than_the_window_runs_alone() {
        let mut window = Window::default();
        assert_eq!(fill(&mut window, 2 * MAX_BYTES), 1);
        window.end(2 * MAX_BYTES, 3 * MAX_BYTES);
        window.release(3 * MAX_BYTES);
        assert_eq!(fill(&mut window, 2 * MAX_BYTES), 1);
    }
}
