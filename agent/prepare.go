package agent

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// Prepared is a change of the roster before anybody signs it, with what has been
// written for it. It ends in [Network.Perform], in a draft, or in Undo.
type Prepared struct {
	Changes []ledger.Change
	made    string // file or directory; empty: nothing was written
}

// Undo removes what was written.
func (p Prepared) Undo() error {
	if p.made == "" {
		return nil
	}
	return os.RemoveAll(p.made)
}

// Perform signs what was prepared and writes the statement as [Network.Change]
// does. The errors wrap ledger.ErrRefused where the roster cannot have it; then
// what was prepared is removed.
func (n *Network) Perform(at int64, p Prepared, signers ...crypto.Signer) (ledger.Statement, error) {
	s, err := n.Change(at, p.Changes, signers...)
	if s.Raw() == nil { // it does not hold: leave nothing behind
		err = errors.Join(err, p.Undo())
	}
	if err == nil {
		err = n.certify(at, p.Changes)
	}
	return s, err
}

// PrepareGateway makes the directory of the gateway of a profile with a new key,
// profile, genesis and roster, and prepares to enrol it and to give it the
// station, work centre and intake of its profile. The errors are profiles.Faults,
// and fs.ErrExist where the directory is there; then nothing has changed.
func (n *Network) PrepareGateway(profile []byte, witness bool, form KeyForm) (Prepared, error) {
	p, err := n.boardProfile(profile)
	if err != nil {
		return Prepared{}, err
	}
	var pub ledger.PublicKey
	made, err := n.makeBoard(p.Gateway, profile, func(string) (err error) {
		pub, err = n.prepareBoard(p.Gateway, form)
		return err
	})
	if err != nil {
		return Prepared{}, err
	}
	made.Changes = []ledger.Change{
		{Kind: ledger.ChangeEnrol, Name: p.Gateway, Key: pub, Roles: gatewayRoles(witness)},
		assignment(pub.ID(), p),
	}
	return made, nil
}

func gatewayRoles(witness bool) ledger.Role {
	if witness {
		return ledger.RoleGateway | ledger.RoleWitness
	}
	return ledger.RoleGateway
}

func assignment(gateway ledger.KeyID, p profiles.Profile) ledger.Change {
	c := ledger.Change{Kind: ledger.ChangeAssign, Subject: gateway, Station: p.Work.Station, WorkCentre: p.Work.Centre}
	if p.Work.Mode == profiles.ModeIntake {
		c.Intake = 1
	}
	return c
}

// makeBoard has write make a gateway's directory and adds the profile; what
// cannot be written whole is removed.
func (n *Network) makeBoard(name string, profile []byte, write func(dir string) error) (Prepared, error) {
	dir := n.Board(name)
	err := write(dir)
	if errors.Is(err, fs.ErrExist) {
		return Prepared{}, err
	}
	if err == nil {
		err = writeNew(filepath.Join(dir, ProfileName), profile, 0o644)
	}
	if err != nil {
		return Prepared{}, errors.Join(err, os.RemoveAll(dir))
	}
	return Prepared{made: dir}, nil
}

// PreparePerson makes a person's key in the network's people and prepares to
// enrol it. The errors are as of [Network.PrepareGateway].
func (n *Network) PreparePerson(name string, roles ledger.Role, form KeyForm) (Prepared, error) {
	if err := CheckFileName(name); err != nil {
		return Prepared{}, err
	}
	file := keyFile(n.Dir, PeopleName, name)
	pub, err := makeKey(file, form)
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{Changes: []ledger.Change{{Kind: ledger.ChangeEnrol, Name: name, Key: pub, Roles: roles}}, made: file}, nil
}

// PrepareAdmin makes a key for an admin to come, in the network's keys. The
// change of the admins is the caller's to say.
func (n *Network) PrepareAdmin(name string, form KeyForm) (ledger.Admin, Prepared, error) {
	if err := CheckFileName(name); err != nil {
		return ledger.Admin{}, Prepared{}, err
	}
	file := keyFile(n.Dir, KeysName, name)
	pub, err := makeKey(file, form)
	return ledger.Admin{Name: name, Key: pub}, Prepared{made: file}, err
}

func makeKey(file string, form KeyForm) (ledger.PublicKey, error) {
	key, err := NewKey(form.Algorithm, nil)
	if err != nil {
		return ledger.PublicKey{}, err
	}
	if err := saveKeys(form, newKeyFile{file, key}); err != nil {
		return ledger.PublicKey{}, err
	}
	return ledger.PublicKeyOf(key)
}

// PrepareReplacement prepares to let the gateway of a profile in, in the place of
// another: that is revoked, its blocks count up to the heads given, and its
// stations go to the new one as they are. The profile's station must be one of
// them. The errors are as of [Network.PrepareGateway], and ErrNotFound.
func (n *Network) PrepareReplacement(old ledger.Identity, heads []ledger.Hash, profile []byte, form KeyForm) (Prepared, error) {
	p, err := n.boardProfile(profile)
	if err != nil {
		return Prepared{}, err
	}
	var stations []ledger.Assignment
	for _, as := range n.Register.Current().Assignments() {
		if as.Gateway == old.ID {
			stations = append(stations, as)
		}
	}
	if !slices.ContainsFunc(stations, func(as ledger.Assignment) bool { return as.Station == p.Work.Station }) {
		return Prepared{}, fmt.Errorf("station %s of the new profile: %w: it is none of %s's", p.Work.Station, ErrNotFound, old.Name)
	}
	made, err := n.PrepareGateway(profile, old.Roles&ledger.RoleWitness != 0, form)
	if err != nil {
		return Prepared{}, err
	}
	enrol := made.Changes[0]
	made.Changes = []ledger.Change{{Kind: ledger.ChangeRevoke, Subject: old.ID, Heads: heads}, enrol}
	for _, as := range stations {
		c := ledger.Change{Kind: ledger.ChangeAssign, Subject: enrol.Key.ID(), Station: as.Station, WorkCentre: as.WorkCentre}
		if as.Intake {
			c.Intake = 1
		}
		made.Changes = append(made.Changes, c)
	}
	return made, nil
}

var gatewayLine = regexp.MustCompile(`(?m)^gateway[ \t]*=.*$`)

// SuccessorProfile is the profile of a gateway's directory under another name,
// for the board that takes its place.
func (n *Network) SuccessorProfile(old, name string) ([]byte, error) {
	text, err := readBounded(filepath.Join(n.Board(old), ProfileName), maxProfile)
	if err != nil {
		return nil, err
	}
	at := gatewayLine.FindIndex(text)
	if at == nil {
		return nil, fmt.Errorf("%s: it does not name its gateway", filepath.Join(n.Board(old), ProfileName))
	}
	return slices.Concat(text[:at[0]], []byte("gateway = "+strconv.Quote(name)), text[at[1]:]), nil
}

// maxProfile is far above what a profile takes.
const maxProfile = 1 << 20
