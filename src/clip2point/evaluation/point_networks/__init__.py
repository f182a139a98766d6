"""Point networks: what reads points without pictures, to be trained from scratch and compared with."""

from clip2point.evaluation.point_networks.dgcnn import DGCNN, EdgeConv
from clip2point.evaluation.point_networks.layers import PointNetwork
from clip2point.evaluation.point_networks.pointnet import PointNet

__all__ = ["DGCNN", "EdgeConv", "PointNet", "PointNetwork"]
