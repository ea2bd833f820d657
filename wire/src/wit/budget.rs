//! The limit on the types that a component declares.

/// The memory of a type and of the head of a name, in bytes.
const ITEM: usize = 40;

/// The memory that may still be used for the types of one function, or of all functions of a component.
///
/// A small component can declare types that are exponentially large, and names of 100 KB that are in each of
/// them. Submitter and runner count by the same rule, so that the submitter rejects what the runner would.
///
/// ```
/// use hype_wire::wit::TypeBudget;
///
/// let mut budget = TypeBudget::of_function();
/// assert!(budget.charge_type() && budget.charge_name("times-seen"));
/// assert!(!budget.charge_name(&"x".repeat(10_000_000)));
/// ```
#[derive(Debug, Clone)]
pub struct TypeBudget {
    left: usize,
}

impl TypeBudget {
    /// The reason why a function whose types exceed the budget can't be called.
    pub const EXCEEDED: &str = "its types are too large";

    /// Returns the budget of one function: 4 MiB, some 100,000 types.
    pub fn of_function() -> Self {
        Self { left: 4 << 20 }
    }

    /// Returns the budget of all functions of a component: 64 MiB.
    pub fn of_component() -> Self {
        Self { left: 64 << 20 }
    }

    /// Counts a type. Returns false if the budget is exceeded.
    pub fn charge_type(&mut self) -> bool {
        self.charge(ITEM)
    }

    /// Counts the name of a parameter, field, case or flag. Returns false if the budget is exceeded.
    pub fn charge_name(&mut self, name: &str) -> bool {
        self.charge(ITEM + name.len())
    }

    fn charge(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                false
            }
        }
    }
}
