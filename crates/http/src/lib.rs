//! The HTTP gateway: from accept to log.
