//! Plugin servers: their processes, instances, connections and events.
