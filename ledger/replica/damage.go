package replica

import (
	"errors"

	"traveler.example/ledger"
)

// at adds to a damage found in the store which block it concerns.
func at(err error, r ledger.Ref) error {
	var d *DamageError
	if !errors.As(err, &d) || !d.Author.IsZero() {
		return err
	}
	c := *d
	c.Author, c.Height, c.Hash = r.Author, r.Height, r.Hash
	return &c
}

// readBlock reads a block and hashes it again. It returns false where it is not
// held.
func readBlock(r reader, net ledger.NetworkID, ref ledger.Ref) (ledger.Block, bool, error) {
	key := keyBlock + str(ref.Hash)
	raw, err := r.get(key)
	if err != nil {
		return ledger.Block{}, false, at(err, ref)
	}
	if raw == nil {
		return ledger.Block{}, false, nil
	}
	u, err := ledger.ParseBlock(net, raw)
	if err != nil {
		return ledger.Block{}, false, at(damaged(key, err.Error()), ref)
	}
	if u.Hash() != ref.Hash {
		return ledger.Block{}, false, at(damaged(key, "hashes to "+u.Hash().Short()), ref)
	}
	return u.Trusted(), true, nil
}
