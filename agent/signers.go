package agent

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"traveler.example/ledger"
)

// AtHand are the keys of admins that can sign here.
type AtHand struct {
	Signers []crypto.Signer
	Names   []string // whose they are
	Needed  int      // how many must sign
	Admins  int      // how many there are
	Absent  []string // whose keys are not here
}

// Short returns what is missing to sign a statement; nil: nothing is. It wraps
// fs.ErrNotExist.
func (h AtHand) Short() error {
	if len(h.Signers) >= h.Needed {
		return nil
	}
	return fmt.Errorf("%w: %d of %d admins must sign, and %d of their keys are here (absent: %s)",
		fs.ErrNotExist, h.Needed, h.Admins, len(h.Signers), strings.Join(h.Absent, ", "))
}

// KeysAtHand opens the keys of admins in force: those in files, then those in the
// network's directory, until there are enough. names, if any, says whose of the
// directory's are used. A key in files that is no admin's is refused with
// ErrNotPermitted.
func (n *Network) KeysAtHand(names, files []string) (AtHand, error) {
	admins, threshold := n.Register.Current().Admins()
	h := AtHand{Needed: int(threshold), Admins: len(admins)}
	for _, name := range names {
		if !slices.ContainsFunc(admins, func(a ledger.Admin) bool { return a.Name == name }) {
			return h, fmt.Errorf("admin %q: %w: the admins are %s", name, ErrNotFound, adminNames(admins))
		}
	}
	for _, file := range files {
		key, err := LoadKey(file, n.Unlock)
		if err != nil {
			return h, err
		}
		pub, err := ledger.PublicKeyOf(key)
		if err != nil {
			return h, err
		}
		i := slices.IndexFunc(admins, func(a ledger.Admin) bool { return a.Key.Equal(pub) })
		if i < 0 {
			return h, fmt.Errorf("%w: the key in %s is no admin's; the admins are %s", ErrNotPermitted, file, adminNames(admins))
		}
		if !slices.Contains(h.Names, admins[i].Name) {
			h.Signers, h.Names = append(h.Signers, key), append(h.Names, admins[i].Name)
		}
	}
	for _, a := range admins {
		if slices.Contains(h.Names, a.Name) || len(names) > 0 && !slices.Contains(names, a.Name) {
			continue
		}
		if len(h.Signers) >= h.Needed {
			break
		}
		key, err := n.Key(a.Name)
		if errors.Is(err, fs.ErrNotExist) {
			h.Absent = append(h.Absent, a.Name)
			continue
		} else if err != nil {
			return h, err
		}
		h.Signers, h.Names = append(h.Signers, key), append(h.Names, a.Name)
	}
	return h, nil
}

func adminNames(admins []ledger.Admin) string {
	var names []string
	for _, a := range admins {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// Signers returns the keys of as many admins in force as must sign, of those
// whose key files are in the network's directory. names, if any, says who signs.
func (n *Network) Signers(names ...string) ([]crypto.Signer, error) {
	h, err := n.KeysAtHand(names, nil)
	if err == nil {
		err = h.Short()
	}
	if err != nil {
		return nil, err
	}
	return h.Signers, nil
}
