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
	"slices"
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
	Random   io.Reader // nil: crypto/rand
}

// Found founds a network in dir: it makes the keys of admins and recovery, in
// clear, and writes genesis last. A network that is there already is left alone,
// with an error that wraps fs.ErrExist.
func Found(dir string, f Founding) (*Network, error) {
	if f.Random == nil {
		f.Random = rand.Reader
	}
	if _, err := os.Stat(filepath.Join(dir, GenesisName)); err == nil {
		return nil, fmt.Errorf("founding the network: %s: %w", filepath.Join(dir, GenesisName), fs.ErrExist)
	}
	g := ledger.Genesis{Name: f.Name, Time: f.Time, Threshold: uint8(len(f.Admins)/2 + 1)}
	files := make(map[string]crypto.Signer)
	newKey := func(file string) (ledger.PublicKey, error) {
		key, err := NewKey(f.Random)
		if err != nil {
			return ledger.PublicKey{}, err
		}
		files[file] = key
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
	if err := saveKeys(files); err != nil {
		return nil, err
	}
	return InitNetwork(dir, g)
}

func saveKeys(files map[string]crypto.Signer) error {
	for file, key := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("making a directory for keys: %w", err)
		}
		if err := SaveKey(file, key); err != nil {
			return err
		}
	}
	return nil
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

// Signers returns the keys of as many admins in force as must sign, of those
// whose key files are in the network's directory. names, if any, says who signs.
func (n *Network) Signers(names ...string) ([]crypto.Signer, error) {
	admins, threshold := n.Register.Current().Admins()
	var signers []crypto.Signer
	var absent []string
	for _, admin := range admins {
		if len(names) > 0 && !slices.Contains(names, admin.Name) {
			continue
		}
		key, err := n.Key(admin.Name)
		if errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, admin.Name)
			continue
		} else if err != nil {
			return nil, err
		}
		if signers = append(signers, key); len(signers) == int(threshold) {
			return signers, nil
		}
	}
	return nil, fmt.Errorf("%w: %d of %d admins must sign, and %d of their keys are here (absent: %s)",
		fs.ErrNotExist, threshold, len(admins), len(signers), strings.Join(absent, ", "))
}

// WitnessByDefault reports whether the next gateway is to be a witness when
// nobody says: while there are fewer than DefaultWitnesses.
func (n *Network) WitnessByDefault() bool {
	return len(n.Register.Current().Witnesses()) < DefaultWitnesses
}

// AddGateway lets the gateway of a profile in: it makes the gateway's directory
// with a new key, profile, genesis and roster, and the statement that enrols the
// gateway and gives it the station, work centre and intake of its profile. The
// errors are profiles.Faults, ledger.ErrRefused where the roster cannot have it,
// fs.ErrExist where the directory is there; then nothing has changed.
func (n *Network) AddGateway(at int64, profile []byte, witness bool, signers ...crypto.Signer) (s ledger.Statement, err error) {
	p, err := n.boardProfile(profile)
	if err != nil {
		return ledger.Statement{}, err
	}
	pub, err := n.prepareBoard(p.Gateway)
	if errors.Is(err, fs.ErrExist) {
		return ledger.Statement{}, err
	}
	defer func() {
		if s.Raw() == nil { // not enrolled: leave nothing behind
			err = errors.Join(err, os.RemoveAll(n.Board(p.Gateway)))
		}
	}()
	if err != nil {
		return ledger.Statement{}, err
	}
	if err := writeNew(filepath.Join(n.Board(p.Gateway), ProfileName), profile, 0o644); err != nil {
		return ledger.Statement{}, err
	}
	enrol := ledger.Change{Kind: ledger.ChangeEnrol, Name: p.Gateway, Key: pub, Roles: ledger.RoleGateway}
	if witness {
		enrol.Roles |= ledger.RoleWitness
	}
	assign := ledger.Change{Kind: ledger.ChangeAssign, Subject: pub.ID(), Station: p.Work.Station, WorkCentre: p.Work.Centre}
	if p.Work.Mode == profiles.ModeIntake {
		assign.Intake = 1
	}
	return n.Change(at, []ledger.Change{enrol, assign}, signers...)
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

// AddPerson lets a person in with a new key, in clear, in the network's people.
// The errors are as of [Network.AddGateway].
func (n *Network) AddPerson(at int64, name string, roles ledger.Role, signers ...crypto.Signer) (s ledger.Statement, err error) {
	if err := CheckFileName(name); err != nil {
		return ledger.Statement{}, err
	}
	key, err := NewKey(nil)
	if err != nil {
		return ledger.Statement{}, err
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return ledger.Statement{}, err
	}
	file := keyFile(n.Dir, PeopleName, name)
	if err := saveKeys(map[string]crypto.Signer{file: key}); err != nil {
		return ledger.Statement{}, err
	}
	s, err = n.Change(at, []ledger.Change{{Kind: ledger.ChangeEnrol, Name: name, Key: pub, Roles: roles}}, signers...)
	if s.Raw() == nil { // not enrolled: leave nothing behind
		err = errors.Join(err, os.Remove(file))
	}
	return s, err
}

// Document shows the network as its directory has it.
func (n *Network) Document() RosterDocument {
	r := n.Register.Current()
	admins, threshold := r.Admins()
	d := RosterDocument{
		Network: n.Genesis.Name, NetworkID: n.Genesis.Network().String(), Heads: r.Heads(),
		Statements: len(n.Register.Statements()), Threshold: int(threshold),
	}
	for _, a := range admins {
		d.Admins = append(d.Admins, a.Name)
	}
	for _, i := range r.Identities() {
		d.Identities = append(d.Identities, IdentityLine{Name: i.Name, Key: i.ID, Roles: i.Roles.String(), Revoked: i.Revoked})
	}
	for _, as := range r.Assignments() {
		gateway, _ := r.Identity(as.Gateway)
		d.Stations = append(d.Stations, StationLine{Station: as.Station, WorkCentre: as.WorkCentre, Gateway: gateway.Name, Intake: as.Intake})
	}
	for _, x := range r.Doubled() {
		d.Doubled = append(d.Doubled, x.Station+x.Name)
	}
	return d
}
