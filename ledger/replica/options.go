package replica

import (
	"crypto"
	"errors"
	"fmt"
	"log/slog"

	"traveler.example/ledger"
)

// Errors that callers decide on.
var (
	// ErrStale: what the transactions rested on is no longer so. Decide anew.
	ErrStale = errors.New("the ledger has moved on since the decision")
	// ErrFull: too little space is left on the disk to commit safely. Nothing
	// was written; appends succeed again once space is free.
	ErrFull = errors.New("disk is too full to commit")
	// ErrReadBack: a commit failed, and what it left on the disk is being read
	// back. Nothing is sealed until then; the replica retries by itself.
	ErrReadBack = errors.New("a commit failed; the chain is being read back")
	// ErrLocked: another process has the directory open.
	ErrLocked = errors.New("ledger directory is in use")
	// ErrDamaged: bytes in the store are not what was written. See DamageError.
	ErrDamaged = errors.New("ledger store is damaged")
	// ErrNoKey: the replica was opened without a signer and cannot seal.
	ErrNoKey = errors.New("replica has no key to seal with")
	// ErrReadOnly: the replica was opened for reading.
	ErrReadOnly = errors.New("replica is open for reading only")
	// ErrClosed: the replica was closed.
	ErrClosed = errors.New("replica is closed")
)

// Options say how to open a replica. Genesis is needed; Signer and Now are
// needed to append.
type Options struct {
	Genesis ledger.Genesis
	// Signer is the gateway's key; nil: the replica cannot seal.
	Signer crypto.Signer
	// Now returns ms since 1970 UTC and whether the clock is synchronised.
	Now func() (ms int64, clock ledger.Clock)
	// Log receives what an operator should know; nil: nothing is logged.
	Log *slog.Logger
	// UnsafeNoSync gives up durability for speed. For demonstrations and tests.
	UnsafeNoSync bool
	// ReadOnly opens a private copy of the directory in TempDir, which is
	// removed by Close. The directory itself is never written.
	ReadOnly bool
	// Reserve is how many bytes are to stay free on the disk, beside the 64 MiB
	// that the store itself may need at any time.
	Reserve int64
	// FreeBytes tells the space free for dir; nil: the file system is asked.
	FreeBytes func(dir string) (int64, error)
	// TempDir is where private copies are made; empty: os.TempDir.
	TempDir string

	// Memory is the disk of OpenMemory; nil: one that ends with the replica.
	Memory *Memory
	// Pool shares what is equal between replicas of OpenMemory; nil: nothing is.
	Pool *Pool
	// Pause, if any, is called before the requests of one commit are gathered and
	// between two answers to them: in virtual time who asks, and who is answered, in
	// one instant would come in any order.
	Pause func()

	// verify makes a block authentic by its own signature.
	verify func(ledger.UnverifiedBlock, *ledger.Roster) (ledger.Block, error)
	sizes  sizes // of the store's files; zero: as measured
}

// DamageError names what was found damaged. It wraps ErrDamaged.
type DamageError struct {
	Author ledger.KeyID // whose chain; zero where that is unknown
	Height uint64       // zero where no block is meant
	Hash   ledger.Hash  // of the object, as far as known
	Key    string       // of the store: what kind of record it is
	Detail string
}

func (e *DamageError) Error() string {
	s := "damaged " + e.Key
	if !e.Author.IsZero() {
		s += fmt.Sprintf(" of %s", e.Author.Short())
	}
	if e.Height != 0 {
		s += fmt.Sprintf(" at height %d", e.Height)
	}
	if !e.Hash.IsZero() {
		s += fmt.Sprintf(" (%s)", e.Hash.Short())
	}
	return s + ": " + e.Detail
}

// Unwrap returns ErrDamaged.
func (e *DamageError) Unwrap() error { return ErrDamaged }
