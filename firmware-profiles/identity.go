package profiles

import (
	"fmt"
	"slices"
)

// identities are the devices that can tell what an [Identity] other than
// [IdentityUID] asks for.
var identities = map[Identity][]string{
	IdentityEPC:     {DeviceM100, DeviceLLRP},
	IdentityNDEFURI: {DevicePN532, DeviceMFRC522},
	IdentityCode:    {DeviceWedge},
}

// identity refuses what a reader cannot tell of a tag.
func (k *checker) identity(path string, r *Reader) {
	devices, other := identities[r.Identity]
	if !other || !slices.Contains(readerDevices, r.Device) {
		return
	}
	switch {
	case !slices.Contains(devices, r.Device):
		k.fail(path+".identity", fmt.Sprintf("is %q, which %q cannot tell", r.Identity, r.Device), `write "uid", or remove it; it is for `+quotedList(devices))
	case r.Identity == IdentityCode && r.Content != ContentCode && r.Content != "":
		k.fail(path+".identity", fmt.Sprintf(`is "code", but content is %q`, r.Content), `write content = "code", or identity = "uid"`)
	}
}
