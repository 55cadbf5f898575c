// Package plant runs a whole plant of real gateways in the virtual time of
// testing/synctest: full agents with their station and sync machines, replicas
// in memory, and round them a broker, readers, lights and people that are
// simulated. It is how the sync protocol is developed, and it is imported by
// tests only.
//
// A run is a function of its [Plan]. Virtual time fixes when things happen, not
// in which order they happen within one instant, so three rules make a run
// repeat itself:
//
//   - whatever comes from outside a gateway (a message, a tag, a fault) is an
//     event of one clockwork, which lets the plant come to rest between two
//     events;
//   - every random choice is drawn from a generator of its own, keyed by the
//     seed and by what the choice is about (for a delivery: from, to and the
//     serial number of the message between the two), never by the order of
//     goroutines;
//   - signing, committing and reading the clock take some time, as they do on a
//     small board, so that a gateway's station and its sync never write to the
//     replica, and are never answered by it, in the same instant.
//
// The trace of a run tells in lines of text when who did what. One seed gives
// one trace.
//
// At every quiet point (all faults ended, nothing in flight) the guarantees of
// the ledger are checked: convergence, no loss, single writer, confirmation and
// liveness. A failure names the seed, the command that plays it again, and the
// end of the trace.
package plant
