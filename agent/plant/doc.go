// Package plant runs a whole plant of real gateways in the virtual time of
// testing/synctest: full agents with their station and sync machines, replicas
// in memory, and round them brokers, readers, lights, scales, clocks, cards and
// people that are simulated. It is how the sync protocol is developed, and it is
// imported by tests only.
//
// # One seed, one trace
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
//     small board, and so does each further answer to requests of one commit: a
//     gateway's station and its sync never write to the replica, and are never
//     answered by it, in the same instant.
//
// The trace of a run tells in lines of text when who did what. One seed gives
// one trace, bad cards and all.
//
// # What befalls a plant
//
// Messages are lost, doubled, delayed and swapped; brokers part, flap, die and
// forget; gateways are cut off, end, are struck down, come late, come back with
// an old copy of their disk, or have their key on a second board; clocks drift,
// stand at 1970 and jump, which the journal must tell; cards are slow or fail to
// commit; pieces bear one tag, weigh too little, wait for parts, and are carried
// to wrong stations; gateways enrol, redeem tickets and are revoked while they
// work on alone; admins are replaced, and replaced in two ways at once, on which
// the recovery key decides; cheats with and without an enrolled key send what
// they like to whom they like.
//
// # What is checked
//
// While work goes on: what was confirmed stays so (guarantee 6), nothing valid is
// undone (2), no light claims what it cannot, and a station whose board is well
// answers each scan and takes up what it knows to be expected there, whoever it is
// cut off from (7). At every quiet point (all faults ended, nothing in flight):
// convergence (1), no loss (3), single writer (4), naming (5), confirmation (6),
// revocation (9), the bounds of liveness (8), what the lights said, and the views
// themselves against a second implementation of PROTOCOL.md ([Model]). Cost (10)
// is measured elsewhere. A failure names the seed, the command that plays it
// again, and the end of the trace. TestChecksBite breaks each of them.
//
// # Large plants
//
// TestGrowth measures what a plant costs as it grows: 5 to 1,000 gateways in
// lines of five, the first 21 of them witnesses, without faults. Each piece makes
// seven transactions, and each of these is a block, as stations seal them. No
// trace is kept; a broker hands out what has come on a beat, so that a gateway
// makes what waits durable in one commit; and the replicas share, by a
// [replica.Pool], the memory of equal records and what a signature's check says.
package plant
