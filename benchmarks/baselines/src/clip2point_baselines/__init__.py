"""Baselines that read points without images, to be trained from scratch and compared with."""

from clip2point_baselines.classifiers import DGCNNClassifier, PointNetClassifier
from clip2point_baselines.dgcnn import DGCNN, EdgeConv
from clip2point_baselines.layers import PointNetwork
from clip2point_baselines.pointnet import PointNet

__all__ = ["DGCNN", "DGCNNClassifier", "EdgeConv", "PointNet", "PointNetClassifier", "PointNetwork"]
