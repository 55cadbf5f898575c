package ledger

import (
	"crypto/sha256"
	"fmt"
)

// Admin is a named key that signs roster statements.
type Admin struct {
	_    struct{} `cbor:",toarray"`
	Name string
	Key  PublicKey
}

// Genesis founds a network (paper §V-F1): who may admit gateways and people,
// and which key decides if those cannot agree. Its hash is the network id.
type Genesis struct {
	Version   uint8     `cbor:"1,keyasint"`
	Name      string    `cbor:"2,keyasint"`
	Time      int64     `cbor:"3,keyasint"` // ms since 1970 UTC
	Admins    []Admin   `cbor:"4,keyasint"`
	Threshold uint8     `cbor:"5,keyasint"` // admins who must sign; more than half
	Recovery  PublicKey `cbor:"6,keyasint"` // decides on admins when they cannot
	Nonce     [16]byte  `cbor:"7,keyasint"` // makes two networks of one name differ

	raw []byte
}

// NewGenesis checks g and fixes its bytes.
func NewGenesis(g Genesis) (Genesis, error) {
	g.Version = Version
	if err := g.check(); err != nil {
		return Genesis{}, err
	}
	g.raw = encode(g)
	if len(g.raw) > MaxGenesis {
		return Genesis{}, refuse("genesis", "", fmt.Sprintf("%d bytes", len(g.raw)), "is larger than %d bytes", MaxGenesis)
	}
	return g, nil
}

// ParseGenesis reads a genesis from its bytes.
func ParseGenesis(raw []byte) (Genesis, error) {
	var g Genesis
	if err := decode("genesis", raw, MaxGenesis, &g); err != nil {
		return Genesis{}, err
	}
	if err := g.check(); err != nil {
		return Genesis{}, err
	}
	g.raw = append([]byte(nil), raw...)
	return g, nil
}

// Raw returns the bytes that the network id covers.
func (g Genesis) Raw() []byte { return g.raw }

// Network returns the network id: SHA-256 of the genesis bytes.
func (g Genesis) Network() NetworkID { return sha256.Sum256(g.raw) }

func (g Genesis) check() error {
	if g.Version != Version {
		return refuse("genesis", "version", g.Version, "this program knows protocol %d only", Version)
	}
	if err := checkName("genesis", "name", g.Name); err != nil {
		return err
	}
	if g.Time < 0 {
		return refuse("genesis", "time", g.Time, "lies before 1970")
	}
	if err := checkAdmins("genesis", g.Admins, g.Threshold); err != nil {
		return err
	}
	if err := g.Recovery.Check(); err != nil {
		return fmt.Errorf("genesis.recovery: %w", err)
	}
	for _, a := range g.Admins {
		if a.Key.Equal(g.Recovery) {
			return refuse("genesis", "recovery", g.Recovery.ID().Short(), "is an admin's key: a recovery key is kept apart from the admins")
		}
	}
	return nil
}

// checkAdmins holds a set of admins to: 1–64 of them, names and keys distinct,
// threshold more than half and at most all.
func checkAdmins(object string, admins []Admin, threshold uint8) error {
	const most = 64
	if len(admins) == 0 || len(admins) > most {
		return refuse(object, "admins", len(admins), "a network has 1 to %d admins", most)
	}
	for i, a := range admins {
		field := fmt.Sprintf("admins[%d]", i)
		if err := checkName(object, field+".name", a.Name); err != nil {
			return err
		}
		if err := a.Key.Check(); err != nil {
			return fmt.Errorf("%s.%s: %w", object, field, err)
		}
		for _, b := range admins[:i] {
			if b.Name == a.Name || b.Key.Equal(a.Key) {
				return refuse(object, field, a.Name, "has the name or key of another admin")
			}
		}
	}
	if int(threshold)*2 <= len(admins) || int(threshold) > len(admins) {
		return refuse(object, "threshold", threshold, "of %d admins more than half and at most all must sign", len(admins))
	}
	return nil
}
