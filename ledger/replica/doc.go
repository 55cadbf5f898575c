// Package replica holds one gateway's copy of the ledger: the blocks and roster
// statements that it has checked, and the views that follow from them.
//
// Shared views (items, tags, orders, voids, evidence, counters) are a function
// of the set of blocks and statements held: replicas that hold the same have
// the same, byte for byte, whatever the order of arrival (Dump shows them).
// Local facts (frontiers, confirmations, growth) lie beside them and are not
// compared.
//
// One goroutine commits. It gathers every Append and Ingest that waits into one
// transaction of the store and one flush; whatever returned without an error is
// durable. There are two stores under one engine: Badger, and an ordered map in
// memory for simulations. Nothing else imports Badger.
package replica
