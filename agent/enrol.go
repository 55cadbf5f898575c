package agent

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// ErrName refuses a name that files cannot have.
var ErrName = errors.New("name cannot be used")

// DefaultWitnesses is how many gateways of a network are witnesses unless
// somebody says otherwise: the first ones.
const DefaultWitnesses = 21

// Founding says how a network is founded.
type Founding struct {
	Name     string
	Admins   []string  // a key is made for each; more than half must sign
	Recovery string    // file for the recovery key; empty: RecoveryName in the network's directory
	Time     int64     // ms since 1970 UTC
	Keys     KeyForm   // of admins and recovery
	Random   io.Reader // nil: crypto/rand
}

// Found founds a network in dir: it makes the keys of admins and recovery, and
// writes genesis last. A network that is there already is left alone,
// with an error that wraps fs.ErrExist.
func Found(dir string, f Founding) (*Network, error) {
	if f.Random == nil {
		f.Random = rand.Reader
	}
	if _, err := os.Stat(filepath.Join(dir, GenesisName)); err == nil {
		return nil, fmt.Errorf("founding the network: %s: %w", filepath.Join(dir, GenesisName), fs.ErrExist)
	}
	g := ledger.Genesis{Name: f.Name, Time: f.Time, Threshold: uint8(len(f.Admins)/2 + 1)}
	var files []newKeyFile
	newKey := func(file string) (ledger.PublicKey, error) {
		key, err := NewKey(f.Keys.Algorithm, f.Random)
		if err != nil {
			return ledger.PublicKey{}, err
		}
		files = append(files, newKeyFile{file, key})
		return ledger.PublicKeyOf(key)
	}
	for _, name := range f.Admins {
		if err := CheckFileName(name); err != nil {
			return nil, err
		}
		pub, err := newKey(keyFile(dir, KeysName, name))
		if err != nil {
			return nil, err
		}
		g.Admins = append(g.Admins, ledger.Admin{Name: name, Key: pub})
	}
	if f.Recovery == "" {
		f.Recovery = filepath.Join(dir, RecoveryName)
	}
	var err error
	if g.Recovery, err = newKey(f.Recovery); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(f.Random, g.Nonce[:]); err != nil {
		return nil, fmt.Errorf("founding the network: %w", err)
	}
	if _, err := ledger.NewGenesis(g); err != nil { // before anything is written
		return nil, err
	}
	if err := saveKeys(f.Keys, files...); err != nil {
		return nil, err
	}
	return InitNetwork(dir, g)
}

func saveKeys(form KeyForm, keys ...newKeyFile) error {
	for _, k := range keys {
		if err := os.MkdirAll(filepath.Dir(k.file), 0o755); err != nil {
			return fmt.Errorf("making a directory for keys: %w", err)
		}
	}
	return form.save(keys...)
}

// CheckFileName reports why the name of an identity cannot be that of a file: it
// is to be an id without slashes and without a dot in front. The errors wrap
// ErrName.
func CheckFileName(name string) error {
	switch err := ledger.CheckID(name); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrName, err)
	case strings.HasPrefix(name, ".") || strings.Contains(name, "/"):
		return fmt.Errorf("%w: %q would be a path; leave out slashes and a dot in front", ErrName, name)
	case len(name) > ledger.MaxName:
		return fmt.Errorf("%w: %q has %d characters, a name at most %d", ErrName, name, len(name), ledger.MaxName)
	}
	return nil
}

// WitnessByDefault reports whether the next gateway is to be a witness when
// nobody says: while there are fewer than DefaultWitnesses.
func (n *Network) WitnessByDefault() bool {
	return len(n.Register.Current().Witnesses()) < DefaultWitnesses
}

// AddGateway lets the gateway of a profile in: [Network.PrepareGateway], then
// [Network.Perform].
func (n *Network) AddGateway(at int64, profile []byte, witness bool, form KeyForm, signers ...crypto.Signer) (ledger.Statement, error) {
	p, err := n.PrepareGateway(profile, witness, form)
	if err != nil {
		return ledger.Statement{}, err
	}
	return n.Perform(at, p, signers...)
}

// boardProfile checks a profile as it will lie in its gateway's directory.
func (n *Network) boardProfile(text []byte) (profiles.Profile, error) {
	p, err := profiles.Parse(ProfileName, text, profiles.Files(n.Dir))
	if err != nil {
		return profiles.Profile{}, err
	}
	if err := CheckFileName(p.Gateway); err != nil {
		return profiles.Profile{}, err
	}
	dir, err := filepath.Abs(n.Board(p.Gateway))
	if err != nil {
		return profiles.Profile{}, fmt.Errorf("finding the place of gateway %s: %w", p.Gateway, err)
	}
	return profiles.Parse(filepath.Join(dir, ProfileName), text, profiles.Files(dir)) // paths are longer there
}

// AddPerson lets a person in: [Network.PreparePerson], then [Network.Perform].
func (n *Network) AddPerson(at int64, name string, roles ledger.Role, form KeyForm, signers ...crypto.Signer) (ledger.Statement, error) {
	p, err := n.PreparePerson(name, roles, form)
	if err != nil {
		return ledger.Statement{}, err
	}
	return n.Perform(at, p, signers...)
}
