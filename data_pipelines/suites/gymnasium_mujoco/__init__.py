"""The MuJoCo environments of gymnasium, version 5."""
