package networkd

// Everywhere asks for addresses by DHCP on every card, for a machine of which nothing is known. What containers and agents make
// is left to them. Its name comes after all others, so that it counts only where nothing else does.
func Everywhere() File {
	return File{Name: "99-provisioner-everywhere.network", Text: `[Match]
Type=ether
Name=!veth* docker* br-* cni* cali* flannel* vnet* tap*
Kind=!bond bridge vlan dummy macvlan macvtap ipvlan vxlan

[Network]
DHCP=yes

[Link]
RequiredForOnline=no
`}
}
