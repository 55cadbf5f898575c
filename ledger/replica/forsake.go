package replica

import (
	"errors"
	"fmt"
	"os"

	"traveler.example/ledger"
)

// forsakenEnding is added to the note of an own head that was given up. It is
// kept as evidence, one generation.
const forsakenEnding = ".forsaken"

// Forsake gives up the lost end of the own chain of a stopped gateway: at its
// next start it seals on from the last block that it holds. height is that of
// the last block sealed, which the gateway's fault names; another one is
// refused. It returns what was given up. Should a peer bring the lost blocks
// after all, nothing is lost: the chain has two versions then, which the
// gateway joins, and work recorded in both shows as a conflict.
//
// The directory is not opened as a store. Errors: ErrLocked while the gateway
// runs, ErrNothingLost where no head is noted.
func Forsake(dir string, height uint64) (ledger.Ref, error) {
	if !exists(dir) {
		return ledger.Ref{}, fmt.Errorf("%s: %w", dir, os.ErrNotExist)
	}
	d, err := openDisk(dir, Options{UnsafeNoSync: true, FreeBytes: func(string) (int64, error) { return storeNeeds, nil }})
	if err != nil {
		return ledger.Ref{}, err
	}
	tip, ok := d.readTip()
	switch {
	case !ok:
		err = fmt.Errorf("%s: %w", dir, ErrNothingLost)
	case tip.Height != height:
		err = fmt.Errorf("%s: the last block sealed has height %d, not %d; nothing was given up", dir, tip.Height, height)
	default:
		err = os.Rename(d.path(tipName), d.path(tipName+forsakenEnding))
	}
	return tip, errors.Join(err, d.close())
}

// ErrNothingLost: no end of the own chain is noted that could be given up.
var ErrNothingLost = errors.New("no head of the own chain is noted")
