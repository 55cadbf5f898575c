package replica

import (
	"context"

	"traveler.example/ledger"
)

// Finding is one result of Verify.
type Finding struct {
	Author ledger.KeyID
	Height uint64
	Hash   ledger.Hash
	Fault  string // empty: the check named in Check found nothing
	Check  string
}

func Verify(ctx context.Context, dir string, o Options, report func(Finding)) error { panic("soon") }
