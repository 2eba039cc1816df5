

pub mod destination_contract;
pub mod memory_destination;

pub use memory_destination::MemoryDestination;
