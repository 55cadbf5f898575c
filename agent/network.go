package agent

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"traveler.example/ledger"
)

// Network is the directory in which a plant's administrator keeps what founds
// and changes the network: genesis, roster statements, keys of admins and
// people, and one directory for each gateway with all that its board needs.
//
//	genesis.cbor            founds the network; its hash is the network id
//	roster/<hash>.cbor      every roster statement
//	keys/<name>.key         keys of admins
//	recovery.key            decides when the admins cannot; belongs in a safe
//	people/<name>.key       keys of planners, quality, operators
//	gateways/<name>/        profile, key, genesis and roster of one board
type Network struct {
	Dir      string
	Genesis  ledger.Genesis
	Register *ledger.Register
	Unlock   Passphrase // asked for keys that are protected; nil: only keys in clear are opened
}

// The names in a network's directory.
const (
	GenesisName  = "genesis.cbor"
	RosterName   = "roster"
	KeysName     = "keys"
	RecoveryName = "recovery.key"
	PeopleName   = "people"
	BoardsName   = "gateways"
	ProfileName  = "profile.toml"
	BoardKey     = "gateway.key"
	DataName     = "data"
	SocketName   = "control.sock"
)

// InitNetwork founds a network in dir, which it creates, and writes genesis.
func InitNetwork(dir string, g ledger.Genesis) (*Network, error) {
	g, err := ledger.NewGenesis(g)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"", RosterName, KeysName, PeopleName, BoardsName} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("founding the network: %w", err)
		}
	}
	if err := writeNew(filepath.Join(dir, GenesisName), g.Raw(), 0o644); err != nil {
		return nil, err
	}
	return &Network{Dir: dir, Genesis: g, Register: ledger.NewRegister(g)}, nil
}

// OpenNetwork reads a network's directory.
func OpenNetwork(dir string) (*Network, error) {
	g, err := LoadGenesis(filepath.Join(dir, GenesisName))
	if err != nil {
		return nil, err
	}
	n := &Network{Dir: dir, Genesis: g, Register: ledger.NewRegister(g)}
	statements, err := LoadStatements(g.Network(), filepath.Join(dir, RosterName))
	if err != nil {
		return nil, err
	}
	return n, AddStatements(n.Register, statements)
}

// LoadGenesis reads and checks a genesis file.
func LoadGenesis(path string) (ledger.Genesis, error) {
	raw, err := readBounded(path, ledger.MaxGenesis)
	if err != nil {
		return ledger.Genesis{}, err
	}
	g, err := ledger.ParseGenesis(raw)
	if err != nil {
		return ledger.Genesis{}, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// LoadStatements reads roster statements from files and directories of files, in
// the order of their names.
func LoadStatements(net ledger.NetworkID, paths ...string) ([]ledger.Statement, error) {
	var out []ledger.Statement
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("reading the roster: %w", err)
		} else if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.cbor")); err != nil {
				return nil, fmt.Errorf("reading the roster in %s: %w", path, err)
			}
		}
		slices.Sort(files)
		for _, file := range files {
			raw, err := readBounded(file, ledger.MaxStatement)
			if err != nil {
				return nil, err
			}
			s, err := ledger.ParseStatement(net, raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// AddStatements adds statements in whatever order they build on each other. It
// returns the first refusal, or the gap that is left.
func AddStatements(r *ledger.Register, statements []ledger.Statement) error {
	for len(statements) > 0 {
		var left []ledger.Statement
		var gap error
		for _, s := range statements {
			var missing *ledger.GapError
			switch err := r.Add(s); {
			case errors.As(err, &missing):
				left, gap = append(left, s), err
			case err != nil:
				return fmt.Errorf("roster statement %s: %w", s.Hash().Short(), err)
			}
		}
		if len(left) == len(statements) {
			return fmt.Errorf("roster: %w", gap)
		}
		statements = left
	}
	return nil
}

// Change signs changes that build on all statements held, and writes the new
// statement to the network's roster and to that of every gateway's directory.
// The statement is zero if nothing was written.
func (n *Network) Change(at int64, changes []ledger.Change, signers ...crypto.Signer) (ledger.Statement, error) {
	heads, err := n.Register.Cite(nil)
	if err != nil {
		return ledger.Statement{}, err
	}
	s, err := ledger.SignStatement(n.Genesis.Network(), ledger.Statement{BuildsOn: heads, Changes: changes, Time: at}, signers...)
	if err != nil {
		return ledger.Statement{}, err
	}
	if err := n.Register.Add(s); err != nil {
		return ledger.Statement{}, err
	}
	return s, n.spread()
}

// spread writes the statements held to the network's roster and to that of every
// gateway's directory: others may have come from another admin's machine.
func (n *Network) spread() error {
	statements := n.Register.Statements()
	boards, err := filepath.Glob(filepath.Join(n.Dir, BoardsName, "*"))
	if err != nil {
		return fmt.Errorf("looking for gateways in %s: %w", n.Dir, err)
	}
	for _, dir := range append([]string{n.Dir}, boards...) {
		if err := writeStatements(filepath.Join(dir, RosterName), statements); err != nil {
			return err
		}
	}
	return nil
}

func writeStatements(dir string, statements []ledger.Statement) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the roster: %w", err)
	}
	for _, s := range statements {
		err := writeNew(filepath.Join(dir, s.Hash().String()+".cbor"), s.Raw(), 0o644)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// Key reads an admin's key of this network.
func (n *Network) Key(name string) (crypto.Signer, error) {
	return LoadKey(keyFile(n.Dir, KeysName, name), n.Unlock)
}

// Person reads the key of a person of this network.
func (n *Network) Person(name string) (crypto.Signer, error) {
	return LoadKey(keyFile(n.Dir, PeopleName, name), n.Unlock)
}

func keyFile(dir, kind, name string) string { return filepath.Join(dir, kind, name+".key") }

// Board is the directory of a gateway of this network.
func (n *Network) Board(name string) string { return filepath.Join(n.Dir, BoardsName, name) }

// emptyBoard makes a gateway's directory with genesis and the roster as it is now.
func (n *Network) emptyBoard(name string) error {
	dir := n.Board(name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("preparing gateway %s: %w", name, err)
	}
	if err := writeNew(filepath.Join(dir, GenesisName), n.Genesis.Raw(), 0o644); err != nil {
		return err
	}
	return writeStatements(filepath.Join(dir, RosterName), n.Register.Statements())
}

// prepareBoard is emptyBoard with a new key. The profile is the caller's to write.
func (n *Network) prepareBoard(name string, form KeyForm) (ledger.PublicKey, error) {
	if err := n.emptyBoard(name); err != nil {
		return ledger.PublicKey{}, err
	}
	key, err := NewKey(form.Algorithm, nil)
	if err != nil {
		return ledger.PublicKey{}, err
	}
	if err := form.save(newKeyFile{filepath.Join(n.Board(name), BoardKey), key}); err != nil {
		return ledger.PublicKey{}, err
	}
	return ledger.PublicKeyOf(key)
}

func readBounded(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if info.Size() > int64(limit) {
		return nil, fmt.Errorf("reading %s: %d bytes are more than the %d allowed", path, info.Size(), limit)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return raw, nil
}
