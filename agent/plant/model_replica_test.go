package plant

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// replicaOf gives an empty replica in memory all objects, again and again while
// one of them is new.
func replicaOf(tb testing.TB, genesis ledger.Genesis, objects []replica.Object) *replica.Replica {
	tb.Helper()
	r, err := replica.OpenMemory(replica.Options{Genesis: genesis, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	for again := true; again; {
		again = false
		for part := range slices.Chunk(objects, 64) {
			res, err := r.Ingest(context.Background(), part...)
			if err != nil {
				tb.Fatal(err)
			}
			again = again || len(res.Blocks)+len(res.Statements) > 0
		}
	}
	return r
}
