//! Contract suites, one module per port.
