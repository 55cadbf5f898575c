package agent

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// ErrTicket refuses what is not the one-time code of a ticket.
var ErrTicket = errors.New("not a ticket's code")

// TicketName is the file with a ticket's code in the directory of a board that
// still has to make its key.
const TicketName = "ticket"

// TicketCode is the one-time secret of a ticket: who knows it enrols a board in
// the ticket's name, once.
type TicketCode [16]byte

// codeDigits are Crockford's: no I, L, O and U, which are read as other digits.
const codeDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// codeLength is how many digits a code has: 128 bits and 12 that check them.
const (
	codeLength = (len(TicketCode{})*8 + 12) / 5
	codeGroup  = 4
)

// NewTicketCode makes a code from random; nil: crypto/rand.
func NewTicketCode(random io.Reader) (c TicketCode, err error) {
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, c[:]); err != nil {
		return c, fmt.Errorf("making a ticket's code: %w", err)
	}
	return c, nil
}

// bits are those of the code, then those that check it: the first 12 of SHA-256.
func (c TicketCode) bits() [18]byte {
	var b [18]byte
	copy(b[:], c[:])
	sum := sha256.Sum256(c[:])
	b[16], b[17] = sum[0], sum[1]&0xf0
	return b
}

// String writes the code as people copy it: 28 digits in groups of four.
func (c TicketCode) String() string {
	bits := c.bits()
	var b strings.Builder
	for i := range codeLength {
		if i > 0 && i%codeGroup == 0 {
			b.WriteByte('-')
		}
		at := i * 5
		word := uint(bits[at/8])<<8 | uint(next(bits[:], at/8+1))
		b.WriteByte(codeDigits[word>>(11-at%8)&31])
	}
	return b.String()
}

func next(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// ParseTicketCode reads a code as people type it: upper or lower case, O for 0, I
// and L for 1, with any blanks and dashes. The errors wrap ErrTicket.
func ParseTicketCode(text string) (TicketCode, error) {
	var c TicketCode
	var bits [18]byte
	n := 0
	for _, r := range strings.ToUpper(text) {
		if strings.ContainsRune("- \t\r\n", r) {
			continue
		}
		r = rune(strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(string(r))[0])
		digit := strings.IndexRune(codeDigits, r)
		if digit < 0 {
			return c, fmt.Errorf("%w: a sign in it is none of %s", ErrTicket, codeDigits)
		}
		if n == codeLength {
			return c, fmt.Errorf("%w: it has more than %d digits", ErrTicket, codeLength)
		}
		for i := range 5 {
			if digit&(16>>i) != 0 {
				bits[(n*5+i)/8] |= 0x80 >> ((n*5 + i) % 8)
			}
		}
		n++
	}
	if n < codeLength {
		return c, fmt.Errorf("%w: it has %d digits instead of %d", ErrTicket, n, codeLength)
	}
	copy(c[:], bits[:])
	if c.bits() != bits {
		return TicketCode{}, fmt.Errorf("%w: a digit is wrong: its check digits do not fit", ErrTicket)
	}
	return c, nil
}

// Key derives the key that redeems the ticket in a network (PROTOCOL.md §9).
func (c TicketCode) Key(net ledger.NetworkID) (crypto.Signer, error) {
	seed, err := hkdf.Key(sha256.New, c[:], net[:], "traveler/1/ticket", ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("deriving a ticket's key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// PrepareTicket makes the directory of a board that will make its own key: as of
// [Network.PrepareGateway], but with a ticket's code in the place of the key. The
// profile must name the ticket's file.
func (n *Network) PrepareTicket(profile []byte, witness bool, code TicketCode) (Prepared, error) {
	p, err := n.boardProfile(profile)
	if err != nil {
		return Prepared{}, err
	}
	pub, err := code.public(n.Genesis.Network())
	if err != nil {
		return Prepared{}, err
	}
	made, err := n.makeBoard(p.Gateway, profile, func(dir string) error {
		if err := n.emptyBoard(p.Gateway); err != nil {
			return err
		}
		return writeNew(filepath.Join(dir, TicketName), []byte(code.String()+"\n"), 0o600)
	})
	if err != nil {
		return Prepared{}, err
	}
	c := ledger.Change{
		Kind: ledger.ChangeTicket, Name: p.Gateway, Key: pub, Roles: gatewayRoles(witness),
		Station: p.Work.Station, WorkCentre: p.Work.Centre,
	}
	if p.Work.Mode == profiles.ModeIntake {
		c.Intake = 1
	}
	made.Changes = []ledger.Change{c}
	return made, nil
}

func (c TicketCode) public(net ledger.NetworkID) (ledger.PublicKey, error) {
	key, err := c.Key(net)
	if err != nil {
		return ledger.PublicKey{}, err
	}
	return ledger.PublicKeyOf(key)
}
