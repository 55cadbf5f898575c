// Package flash puts a gateway onto the card of a board: programs, profile, genesis,
// roster, key or ticket, certificates, and what the system's manager needs. What is to
// be written follows from the network's directory and from what is on the card, by
// pure functions; [Target] alone reads and writes the card.
//
// Nothing on a card that cannot be made again is ever overwritten: neither a key nor
// a ledger.
package flash

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// The places on a board. The unit of the daemon and its tmpfiles name them, too.
const (
	etcDir      = "/etc/traveler"
	identityDir = etcDir + "/identity" // the daemon may write here: a key made on the board
	stateDir    = "/var/lib/traveler"
	socketPath  = "/run/traveler/" + agent.SocketName
)

// Board is what a network's directory holds for one board, checked. [Read] makes it.
type Board struct {
	Name string
	// Key is the gateway's key id; zero where the board makes its key itself.
	Key ledger.KeyID
	// Profile is the gateway's profile as it stands on the board: composed, with the
	// paths of the board.
	Profile profiles.Profile
	// Notes are what the installer should know.
	Notes []string

	genesis []byte
	files   []File // identity, certificates, roster
}

// Ticketed reports whether the board makes its key itself and redeems a ticket.
func (b Board) Ticketed() bool { return b.Profile.TicketFile != "" }

// Read gathers what the directory of a network holds for the gateway of that name.
// The errors wrap agent.ErrNotFound, agent.ErrConflict where the roster does not let
// the gateway work, and profiles.Faults.
func Read(n *agent.Network, name string) (Board, error) {
	if err := agent.CheckFileName(name); err != nil {
		return Board{}, err
	}
	file := filepath.Join(n.Board(name), agent.ProfileName)
	own, err := profiles.Load(file) // names faults where they can be mended
	if errors.Is(err, fs.ErrNotExist) {
		return Board{}, fmt.Errorf("gateway %s: %w: the network in %s has no %s", name, agent.ErrNotFound, n.Dir, file)
	} else if err != nil {
		return Board{}, err
	}
	if own.Gateway != name {
		return Board{}, fmt.Errorf("%s: it is the profile of gateway %s: %w", file, own.Gateway, agent.ErrConflict)
	}
	b := Board{Name: name, genesis: n.Genesis.Raw()}
	if b.Profile, err = boardProfile(file); err != nil {
		return Board{}, err
	}
	for _, s := range n.Register.Statements() {
		b.add(path.Join(etcDir, agent.RosterName, s.Hash().String()+".cbor"), s.Raw(), 0o644, OwnerRoot)
	}
	if err := b.identity(n, own); err != nil {
		return Board{}, err
	}
	return b, b.certificates(own)
}

// boardProfile composes the profile in file as it will be read on the board.
func boardProfile(file string) (profiles.Profile, error) {
	full, err := filepath.Abs(file)
	if err != nil {
		return profiles.Profile{}, fmt.Errorf("finding %s: %w", file, err)
	}
	text, err := readBounded(full)
	if err != nil {
		return profiles.Profile{}, err
	}
	p, err := profiles.Parse(path.Join(etcDir, agent.ProfileName), text, profiles.Files(filepath.Dir(full)))
	if err != nil {
		return profiles.Profile{}, err
	}
	p.DataDir, p.ControlSocket = stateDir, socketPath
	p.GenesisFile, p.Roster = path.Join(etcDir, agent.GenesisName), []string{path.Join(etcDir, agent.RosterName)}
	return p, nil
}

func (b *Board) add(place string, text []byte, mode fs.FileMode, owner Owner) {
	b.files = append(b.files, File{Path: place, Mode: mode, Owner: owner, Text: text})
}

// identity takes the gateway's key, or the ticket for which the board makes one.
func (b *Board) identity(n *agent.Network, own profiles.Profile) error {
	key, err := agent.LoadKey(own.KeyFile, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist) && own.TicketFile != "":
		return b.ticket(n, own)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("gateway %s: neither %s nor a ticket is there: %w", b.Name, own.KeyFile, agent.ErrNotFound)
	case errors.Is(err, agent.ErrNeedPassphrase):
		b.Notes = append(b.Notes, "the key has a passphrase: give it to the daemon on the board, as a comment in travelerd.service shows")
	case err != nil:
		return err
	}
	b.Profile.KeyFile, b.Profile.TicketFile = path.Join(etcDir, agent.BoardKey), ""
	text, err := readBounded(own.KeyFile)
	if err != nil {
		return err
	}
	b.files = append(b.files, File{Path: b.Profile.KeyFile, Mode: 0o600, Owner: OwnerTraveler, Text: text, once: true})
	return b.enrolled(n.Register.Current(), key)
}

// enrolled checks that the roster has the key; nil stands for a key under a passphrase.
func (b *Board) enrolled(roster *ledger.Roster, key crypto.Signer) error {
	named := slices.DeleteFunc(roster.Named(b.Name), func(i ledger.Identity) bool { return i.Roles&ledger.RoleGateway == 0 || i.Revoked })
	if key == nil {
		if len(named) == 0 {
			return fmt.Errorf("gateway %s: %w: the roster does not have it, or has revoked it", b.Name, agent.ErrConflict)
		}
		b.Key = named[0].ID
	} else {
		pub, err := ledger.PublicKeyOf(key)
		if err != nil {
			return err
		}
		b.Key = pub.ID()
		if !slices.ContainsFunc(named, func(i ledger.Identity) bool { return i.ID == b.Key }) {
			return fmt.Errorf("gateway %s: %w: the roster does not have its key %s, or has revoked it", b.Name, agent.ErrConflict, b.Key)
		}
	}
	if station := b.Profile.Work.Station; !assigned(roster, b.Key, station) {
		b.Notes = append(b.Notes, fmt.Sprintf("the roster does not give station %s to this gateway: its scans will not count", station))
	}
	return nil
}

func assigned(roster *ledger.Roster, key ledger.KeyID, station string) bool {
	_, ok := roster.Assigned(key, station)
	return ok
}

// ticket takes the one-time code, and lets key and code lie where the daemon may write.
func (b *Board) ticket(n *agent.Network, own profiles.Profile) error {
	b.Profile.KeyFile, b.Profile.TicketFile = path.Join(identityDir, agent.BoardKey), path.Join(identityDir, agent.TicketName)
	text, err := readBounded(own.TicketFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("gateway %s: its ticket %s has been removed: %w", b.Name, own.TicketFile, agent.ErrNotFound)
	} else if err != nil {
		return err
	}
	code, err := agent.ParseTicketCode(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", own.TicketFile, err)
	}
	key, err := code.Key(n.Genesis.Network())
	if err != nil {
		return err
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return err
	}
	t, ok := n.Register.Current().Ticket(pub.ID())
	switch {
	case !ok:
		return fmt.Errorf("gateway %s: %w: the roster has no ticket with the code in %s", b.Name, agent.ErrConflict, own.TicketFile)
	case t.Revoked:
		return fmt.Errorf("gateway %s: %w: its ticket is revoked", b.Name, agent.ErrConflict)
	case len(t.Redeemed) > 0:
		return fmt.Errorf("gateway %s: %w: its ticket has been used by the board with key %s", b.Name, agent.ErrConflict, t.Redeemed[0])
	}
	b.add(b.Profile.TicketFile, []byte(code.String()+"\n"), 0o600, OwnerTraveler)
	return nil
}

// certificates takes the files that the profile names for TLS.
func (b *Board) certificates(own profiles.Profile) error {
	if _, err := agent.LoadCertificates(own.Broker); err != nil {
		return fmt.Errorf("gateway %s: %w", b.Name, err)
	}
	to := &b.Profile.Broker
	for _, c := range []struct {
		from  string
		to    *string
		name  string
		mode  fs.FileMode
		owner Owner
	}{
		{own.Broker.CAFile, &to.CAFile, agent.CACertName, 0o644, OwnerRoot},
		{own.Broker.CertificateFile, &to.CertificateFile, agent.BoardCertName, 0o644, OwnerRoot},
		{own.Broker.CertificateKeyFile, &to.CertificateKeyFile, agent.BoardCertKeyName, 0o600, OwnerTraveler},
	} {
		if c.from == "" {
			continue
		}
		text, err := readBounded(c.from)
		if err != nil {
			return err
		}
		*c.to = path.Join(etcDir, c.name)
		b.add(*c.to, text, c.mode, c.owner)
	}
	return b.authorities(own)
}

// authorities takes those that vouch for readers on the network.
func (b *Board) authorities(own profiles.Profile) error {
	taken := make(map[string]string) // by where it is from
	for i, r := range own.Readers {
		if r.CAFile == "" {
			continue
		}
		place, ok := taken[r.CAFile]
		if !ok {
			text, err := readBounded(r.CAFile)
			if err != nil {
				return fmt.Errorf("reader %s: %w", r.Name, err)
			}
			place = fmt.Sprintf("%s/reader-ca-%d.crt", etcDir, len(taken))
			taken[r.CAFile] = place
			b.add(place, text, 0o644, OwnerRoot)
		}
		b.Profile.Readers[i].CAFile = place
	}
	return nil
}

// maxText is far above what any file of a board takes that is no program.
const maxText = 1 << 20

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	return readAll(file, f, maxText)
}

// readAll reads what has at most limit bytes.
func readAll(name string, r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("reading %s: it has more than the %d bytes allowed", name, limit)
	}
	return text, nil
}
